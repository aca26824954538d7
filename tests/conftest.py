"""For every test: how long one example takes says nothing on a machine that runs other tests at the same time, and the
same commit is tried with the same examples; `pytest -m hypothesis --hypothesis-profile=explore` looks for new ones."""

import pytest
from hypothesis import settings

settings.register_profile("explore", deadline=None, max_examples=1000)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes is run where it is asked for by name, as in `pytest -m slow`."""
    if "slow" not in str(config.option.markexpr):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
