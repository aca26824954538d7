"""For every test: how long one example takes says nothing on a machine that runs other tests at the same time, and the
same commit is tried with the same examples; `pytest -m hypothesis --hypothesis-profile=explore` looks for new ones."""

from hypothesis import settings

settings.register_profile("explore", deadline=None, max_examples=1000)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
