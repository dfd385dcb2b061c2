"""Pool and weights to the exact order of samples, every prefix of which has the right mix; start at ``plan.py``."""

from curate.blend.config import BlendConfig
from curate.blend.plan import BlendPlan, plan_blend
from curate.blend.pool import Pool, read_pool

__all__ = ["BlendConfig", "BlendPlan", "Pool", "plan_blend", "read_pool"]
