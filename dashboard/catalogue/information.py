"""What a person's decision is expected to tell; pure."""

import math
from collections.abc import Sequence

__all__ = ["expected_information"]


def expected_information(scores: Sequence[float], new_score: float | None) -> float:
    """The entropy, in bits, of who a burst shows: one of its candidates (`scores`, probabilities) or none of them.

    What is undecided tells most; 0 where nothing was compared, or where one answer is certain.
    """
    weights = [max(0.0, weight) for weight in (*scores, new_score or 0.0)]
    total = sum(weights)
    if total <= 0:
        return 0.0
    shares = [weight / total for weight in weights if weight > 0]
    return max(0.0, -sum(share * math.log2(share) for share in shares))
