"""Lambda's Python functions as processes: AWS's runtime client, the deployed code, the role's credentials.

The engine keeps the functions' records and answers Lambda's API; what it asks of this package is `Functions`.
Functions on Node.js (those of CDK's own framework) run as the engine runs them.
"""

from rehearsal.cloud.functions.service import Functions

__all__ = ["Functions"]
