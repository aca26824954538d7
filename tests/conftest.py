"""For every test: how long one example takes says nothing on a machine that runs other tests at the same time."""

from hypothesis import settings

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
