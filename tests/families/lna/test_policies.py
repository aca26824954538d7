"""Enterprise policies of Linux, Windows and macOS, read and judged wherever the tests run."""

from __future__ import annotations

import plistlib
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from btdiag.engine import doctor
from btdiag.families.lna.facts import BrowserPolicies
from btdiag.families.lna.judge.policies import named_policies, network_policies, proxies_in
from btdiag.families.lna.probe.managed import managed_settings
from btdiag.net.policies import browser_policies, from_registry

PROXY = {"ProxyMode": "fixed_servers", "ProxyServer": "p.example:1"}
BLOCKED = {"LocalNetworkAccessBlockedForUrls": ["https://www.braintrust.dev"]}

POLICIES = [
    ({}, []),
    ({"ProxySettings": {"ProxyMode": "direct"}}, []),
    (
        {"ProxySettings": {"ProxyMode": "fixed_servers", "ProxyServer": "https=a.example:1;http=http://b.example:2"}},
        [("ProxySettings", ("a.example", "b.example"))],
    ),
    ({"ProxySettings": {"ProxyServer": "a.example:1"}}, [("ProxySettings", ("a.example",))]),
    ({"ProxySettings": {"ProxyMode": "pac_script", "ProxyPacUrl": "http://a.example/p"}}, [("ProxySettings", ())]),
    ({"ProxyMode": "fixed_servers", "ProxyServer": "[fd00::1]:3128"}, [("ProxyMode", ("fd00::1",))]),
    ({"ProxySettings": {"ProxyMode": "fixed_servers", "ProxyServer": "a[b"}}, [("ProxySettings", ())]),
]


@pytest.mark.parametrize(("values", "expected"), POLICIES)
def test_policies_tell_which_proxies_there_are(values: dict[str, Any], expected: list[tuple[str, Any]]) -> None:
    assert [(one.policy, one.hosts) for one in proxies_in(values, "x.json")] == expected


@pytest.mark.parametrize(
    ("values", "below", "expected"),
    [
        ({}, {}, {}),
        ({"ProxySettings": '{"ProxyMode": "direct"}'}, {}, {"ProxySettings": {"ProxyMode": "direct"}}),
        ({"ProxyMode": "direct", "Odd": "{no json", "On": 1}, {}, {"ProxyMode": "direct", "Odd": "{no json", "On": 1}),
        ({}, {"Urls": {"10": "c", "2": "b", "1": "a"}, "extension": {"x": 1}}, {"Urls": ["a", "b", "c"]}),
    ],
)
def test_the_registry_is_read_as_files_are(values: dict[str, Any], below: dict[str, Any], expected: Any) -> None:
    assert from_registry(values, below) == expected


class Registry:
    """What Python's winreg offers, over a dictionary of keys."""

    HKEY_LOCAL_MACHINE, HKEY_CURRENT_USER = "machine", "user"

    def __init__(self, keys: dict[tuple[str, str], dict[str, Any]]) -> None:
        self.keys = keys

    def OpenKey(self, hive: str, path: str) -> RegistryKey:
        if not any(own == hive and (key + "\\").startswith(path + "\\") for own, key in self.keys):
            raise FileNotFoundError(path)
        prefix = path + "\\"
        below = {
            key[len(prefix) :].partition("\\")[0] for own, key in self.keys if own == hive and key.startswith(prefix)
        }
        return RegistryKey(list(self.keys.get((hive, path), {}).items()), sorted(below))

    def QueryInfoKey(self, key: RegistryKey) -> tuple[int, int, int]:
        return len(key.below), len(key.values), 0

    def EnumValue(self, key: RegistryKey, number: int) -> tuple[str, Any, int]:
        return (*key.values[number], 1)

    def EnumKey(self, key: RegistryKey, number: int) -> str:
        return key.below[number]


class RegistryKey:
    def __init__(self, values: list[tuple[str, Any]], below: list[str]) -> None:
        self.values, self.below = values, below

    def __enter__(self) -> RegistryKey:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close."""


CHROME = r"SOFTWARE\Policies\Google\Chrome"
WINDOWS = Registry(
    {
        ("machine", CHROME): {"ProxySettings": '{"ProxyMode": "fixed_servers", "ProxyServer": "p.example:1"}'},
        ("machine", CHROME + r"\LocalNetworkAccessBlockedForUrls"): {"1": "https://www.braintrust.dev"},
        ("user", CHROME + r"\Recommended"): {"ProxyMode": "pac_script"},
    }
)


def test_windows_policies_come_from_the_registry(tmp_path: Path) -> None:
    found = managed_settings("Chrome", "win32", tmp_path, WINDOWS)
    assert [one.hosts for one in found.proxies] == [("p.example",), ()]
    assert [(one.policy, one.value) for one in found.networks] == [(*BLOCKED, '["https://www.braintrust.dev"]')]
    assert found.networks[0].where == "HKEY_LOCAL_MACHINE\\" + CHROME
    assert (found.known, found.complete) == (True, False)
    assert managed_settings("Edge", "win32", tmp_path, WINDOWS) == BrowserPolicies(complete=False)


def test_mac_policies_come_from_managed_preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Library/Managed Preferences"
    (folder / "ada").mkdir(parents=True)
    (folder / "com.google.Chrome.plist").write_bytes(plistlib.dumps(BLOCKED))
    (folder / "ada/com.google.Chrome.plist").write_bytes(plistlib.dumps(PROXY, fmt=plistlib.FMT_BINARY))
    (folder / "com.microsoft.Edge.plist").write_bytes(b"<plist><dict><key>x</dict>")
    monkeypatch.setenv("USER", "ada")
    found = managed_settings("Chrome", "darwin", tmp_path)
    assert [one.policy for one in found.networks] == list(BLOCKED)
    assert [one.hosts for one in found.proxies] == [("p.example",)]
    assert managed_settings("Edge", "darwin", tmp_path) == BrowserPolicies(complete=False)
    assert managed_settings("Chromium", "darwin", tmp_path).networks == ()


def test_linux_policies_come_from_the_browsers_folder(tmp_path: Path) -> None:
    folder = tmp_path / "etc/chromium/policies/managed"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text('{"ProxySettings": {"ProxyMode": "fixed_servers", "ProxyServer": "p.example:1"}}')
    (folder / "b.json").write_text("no json")
    (folder / "c.json").write_text("[]")
    assert [one.hosts for one in managed_settings("Chromium", "linux", tmp_path).proxies] == [("p.example",)]
    assert managed_settings("Chrome", "linux", tmp_path) == BrowserPolicies()


def test_elsewhere_nothing_is_known(tmp_path: Path) -> None:
    assert browser_policies("Chrome", "freebsd13", tmp_path) is None
    assert not managed_settings("Chrome", "freebsd13", tmp_path).known


def test_a_policy_is_named_with_where_it_stands() -> None:
    given = tuple(network_policies(BLOCKED | {"LocalNetworkAccessAllowedForUrls": ["*"], "Other": 1}, "x.json"))
    assert [one.policy for one in given] == [*BLOCKED, "LocalNetworkAccessAllowedForUrls"]
    assert named_policies(given, "Allowed") == " (LocalNetworkAccessAllowedForUrls is set in x.json)"
    assert named_policies(given, "OptOut") == ""


@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        (BrowserPolicies(), "ok", "none of Chrom"),
        (BrowserPolicies(complete=False), "ok", "a cloud manages"),
        (BrowserPolicies(known=False, complete=False), "note", "not known"),
        (BrowserPolicies(networks=tuple(network_policies(BLOCKED, "x.json"))), "note", "ForUrls (x.json)"),
    ],
)
def test_doctor_tells_of_policies(
    given: BrowserPolicies, state: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "managed_settings", lambda product: given)
    found = {one.name: one for one in doctor.examine({})}["browser policies"]
    assert found.state == state
    assert words in found.detail
