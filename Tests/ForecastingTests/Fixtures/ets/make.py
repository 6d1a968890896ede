"""Golden values of exponential smoothing, by statsmodels; writes golden.json beside this file."""

import json
import pathlib

import numpy as np
import statsmodels
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

SEASON = 4
rng = np.random.default_rng(20261121)
t = np.arange(40)
wave = np.array([1.2, 0.9, 0.7, 1.2])[t % SEASON]
values = np.round((20 + 0.3 * t) * wave + rng.normal(0, 0.8, 40), 3)
plain = np.round(50 + np.cumsum(rng.normal(0, 0.4, 60)) + rng.normal(0, 1.0, 60), 3)

# error, trend, damped, season
FORMS = [
    ("add", None, False, None), ("add", "add", False, None), ("add", "add", True, None),
    ("add", None, False, "add"), ("add", "add", True, "add"),
    ("mul", None, False, None), ("mul", "add", True, None), ("mul", "add", False, "add"),
]
alpha, beta, gamma, phi = 0.35, 0.08, 0.2, 0.93
cases = []
for error, trend, damped, season in FORMS:
    additive = [3.5, -2.0, -5.0, 3.5]
    start = additive if season == "add" else [1.2, 0.9, 0.7, 1.2]
    known = {"initial_level": 19.0}
    params = [alpha]
    if trend:
        known["initial_trend"] = 0.4
        params.append(beta)
    if season:
        # statsmodels counts the newest season first.
        known["initial_seasonal"] = start
        params.append(gamma)
    if damped:
        params.append(phi)
    model = ETSModel(
        values, error=error, trend=trend, damped_trend=damped, seasonal=season,
        seasonal_periods=SEASON if season else None, initialization_method="known", **known)
    fit = model.smooth(params)
    cases.append({
        "error": error, "trend": "damped" if damped else trend or "none",
        "season": season or "none", "logLikelihood": float(fit.llf),
        "forecast": [float(x) for x in fit.forecast(9)],
        "level": float(fit.level[-1]),
    })

# statsmodels divides by the level after the row where a multiplicative season is renewed; the
# taxonomy (Hyndman et al. 2008, table 2.3) and R's forecast package by the one before. These three
# are therefore written down here as the table has them.
for trend, damped in [(None, False), ("add", False), ("add", True)]:
    level, slope, seasons = 19.0, 0.4 if trend else 0.0, [1.2, 0.9, 0.7, 1.2]
    damping = phi if damped else 1.0
    loglik, relative = 0.0, []
    for row, y in enumerate(values):
        before = level + damping * slope
        mu = before * seasons[row % SEASON]
        e = (y - mu) / mu
        relative.append(e)
        loglik -= np.log(abs(mu))
        level = before * (1 + alpha * e)
        slope = damping * slope + (beta if trend else 0.0) * before * e
        seasons[row % SEASON] *= 1 + gamma * e
    n = len(values)
    loglik -= n / 2 * (np.log(2 * np.pi * np.mean(np.square(relative))) + 1)
    forecast = [
        (level + sum(damping ** (k + 1) for k in range(h)) * slope) * seasons[(n + h - 1) % SEASON]
        for h in range(1, 10)]
    cases.append({
        "error": "mul", "trend": "damped" if damped else trend or "none", "season": "mul",
        "logLikelihood": float(loglik), "forecast": [float(x) for x in forecast],
        "level": float(level),
    })

optima = []
for error, trend, damped in [("add", None, False), ("add", "add", False), ("mul", None, False)]:
    fit = ETSModel(
        plain, error=error, trend=trend, damped_trend=damped,
        initialization_method="estimated").fit(disp=False, maxiter=5000)
    optima.append({
        "error": error, "trend": trend or "none", "logLikelihood": float(fit.llf),
        "level": float(fit.alpha), "aicc": float(fit.aicc),
    })

pathlib.Path(__file__).with_name("golden.json").write_text(json.dumps({
    "statsmodels": statsmodels.__version__, "numpy": np.__version__, "season": SEASON,
    "alpha": alpha, "beta": beta, "gamma": gamma, "phi": phi, "level": 19.0, "trend": 0.4,
    "values": values.tolist(), "plain": plain.tolist(), "cases": cases, "optima": optima,
}, indent=1))
