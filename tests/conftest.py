"""How generated tests run in this repository. `pytest --hypothesis-profile=explore` looks further, anew each time."""

from hypothesis import settings

# No deadline: a busy machine is no defect. The same examples each time: what failed fails again.
settings.register_profile("cardea", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("cardea")
