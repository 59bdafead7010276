"""How many instances a load needs, how long its calls take, how many are refused, and what it costs.

The fleet is simulated minute by minute: `rehearsal.cloud.autoscaling` scales it, as it scales the rehearsal's fleet,
and `inference.server.admission` refuses what an instance could not answer in time.
"""
