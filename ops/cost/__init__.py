"""`kennel cost`: what the synthesised templates cost, by dated price tables.

estimate(Path("cdk.out"), "us-east-1").idle_month_usd
"""

from ops.cost.estimate import Estimate, estimate
from ops.cost.price_table import CostError

__all__ = ["CostError", "Estimate", "estimate"]
