"""Settings of the property tests: no deadline, since the machine may be busy with others."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("streaming", deadline=None)
settings.load_profile("streaming")
