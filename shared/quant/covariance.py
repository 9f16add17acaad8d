"""Covariance of returns, shrunk so that it can be inverted: a sample of few days knows little of many pairs ([1]).

NaN or infinity raises `InvalidError`; no result is NaN.

References
----------
.. [1] Ledoit, Wolf, A well-conditioned estimator for large-dimensional covariance matrices (2004).
"""

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError, MissingError

LEAST_OBSERVATIONS = 2

type Floats = NDArray[np.float64]


def ledoit_wolf(returns: Floats) -> tuple[Floats, float]:
    """Give the covariance shrunk towards equal variances without correlation, and by how much it was shrunk.

    Parameters
    ----------
    returns : ndarray of shape (n_observations, n_assets)
        Simple returns per period; order does not matter.

    Returns
    -------
    covariance : ndarray of shape (n_assets, n_assets)
        Per period; symmetric, and positive definite as soon as any asset varies and the shrinkage is not zero.
    shrinkage : float
        0 (the sample's own) to 1 (the mean variance on the diagonal alone). It is 0 for one asset and where nothing
        varies, whose covariance is all zeros.

    Raises
    ------
    MissingError
        Fewer than two observations, or no asset.
    InvalidError
        A return is NaN or infinite, or the array is not two-dimensional.

    Notes
    -----
    The mean is taken off first, and variances are divided by n, as in [1].
    """
    history = np.asarray(returns, dtype=np.float64)
    if history.ndim != 2 or not np.isfinite(history).all():  # noqa: PLR2004 - days by assets
        raise InvalidError(f"returns: NaN, infinite or not two-dimensional: {history.shape}")
    count, assets = history.shape
    if count < LEAST_OBSERVATIONS or not assets:
        raise MissingError(f"returns: {count} observations of {assets} assets, two of one are needed")
    centred = history - history.mean(axis=0)
    # The mean of what never varies may miss it by a rounding error.
    centred[:, (history == history[0]).all(axis=0)] = 0.0
    sample = centred.T @ centred / count
    mean_variance = float(np.trace(sample)) / assets
    target = mean_variance * np.eye(assets)
    shrinkage = _shrinkage(centred, sample, target)
    return (1 - shrinkage) * sample + shrinkage * target, shrinkage


def _shrinkage(centred: Floats, sample: Floats, target: Floats) -> float:
    distance = float(((sample - target) ** 2).sum())
    if not distance:
        return 0.0
    squares = centred**2
    count = len(centred)
    error = float((squares.T @ squares / count - sample**2).sum()) / count
    return min(1.0, max(0.0, error / distance))
