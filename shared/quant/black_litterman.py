"""Expected returns from what a reference portfolio implies and from views on single assets ([1], [2]).

References
----------
.. [1] Black, Litterman, Global portfolio optimization (1992).
.. [2] Idzorek, A step-by-step guide to the Black-Litterman model (2005); its confidences in the closed form of
   Walters, The Black-Litterman model in detail (2014).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError

TAU = 0.05
"""How uncertain the reference's returns are, as a part of the covariance."""

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is expected once the views are known.

    Attributes
    ----------
    mean : ndarray of shape (n_assets,)
        Expected returns per period: the reference's plus all contributions.
    covariance : ndarray of shape (n_assets, n_assets)
        Of the returns, with what remains uncertain of their mean.
    contributions : ndarray of shape (n_views, n_assets)
        What each view adds to the mean.
    """

    mean: Floats
    covariance: Floats
    contributions: Floats


def implied_returns(covariance: Floats, weights: Floats, risk_aversion: float) -> Floats:
    """Give the returns at which `weights` are what ``w @ mean - risk_aversion * variance`` is largest at."""
    return np.asarray(2 * risk_aversion * covariance @ weights, dtype=np.float64)


def blend(covariance: Floats, prior: Floats, assets: NDArray[np.intp], views: Floats, confidences: Floats) -> Posterior:
    """Give the posterior of absolute views.

    Parameters
    ----------
    covariance : ndarray of shape (n_assets, n_assets)
        Per period; it may be singular.
    prior : ndarray of shape (n_assets,)
        Expected returns per period without views.
    assets : ndarray of shape (n_views,)
        Which asset each view is on; several may be on one.
    views : ndarray of shape (n_views,)
        Expected returns per period.
    confidences : ndarray of shape (n_views,)
        Above 0 to 1: alone, a view of confidence c takes its asset c of the way from the prior to itself.

    Returns
    -------
    Posterior
        The prior itself where there are no views; a view on an asset that never varies adds nothing.

    Raises
    ------
    InvalidError
        NaN or infinity, shapes that do not fit, or a confidence out of range.
    """
    _check(covariance, prior, assets, views, confidences)
    spread = TAU * covariance[:, assets]
    doubts = np.diag(TAU * np.diag(covariance)[assets] * (1 / confidences - 1))
    gain = _gain(spread, spread[assets] + doubts, is_doubted=bool((confidences < 1).all()))
    contributions = gain.T * (views - prior[assets])[:, None]
    mean = prior + contributions.sum(axis=0)
    return Posterior(mean, (1 + TAU) * covariance - gain @ spread.T, contributions)


def _gain(spread: Floats, uncertainty: Floats, *, is_doubted: bool) -> Floats:
    if is_doubted and (np.diag(uncertainty) > 0).all():
        return np.asarray(np.linalg.solve(uncertainty, spread.T).T, dtype=np.float64)
    # By the pseudo-inverse: two views of full confidence on one asset make the matrix singular, and share it.
    return np.asarray(spread @ np.linalg.pinv(uncertainty, hermitian=True), dtype=np.float64)


def _check(covariance: Floats, prior: Floats, assets: NDArray[np.intp], views: Floats, confidences: Floats) -> None:
    if covariance.shape != (len(prior), len(prior)) or not len(assets) == len(views) == len(confidences):
        raise InvalidError("views: the shapes do not fit")
    if not all(np.isfinite(each).all() for each in (covariance, prior, views, confidences)):
        raise InvalidError("views: NaN or infinite")
    if not ((confidences > 0) & (confidences <= 1)).all():
        raise InvalidError("confidences: not all above 0 to 1")
