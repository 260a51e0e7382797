"""How a function tells what it counted: metrics of its environment, by way of its log."""

from collections.abc import Mapping
from typing import Final

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

_NAMESPACE: Final = "Cardea"


def tell_counts(environment: str, counts: Mapping[str, int]) -> None:
    """Tell counts at once. Their dimensions are the environment, and the function by POWERTOOLS_SERVICE_NAME."""
    if not counts:
        return
    metrics = Metrics(namespace=_NAMESPACE)
    metrics.add_dimension(name="environment", value=environment)
    for name, count in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    metrics.flush_metrics()
