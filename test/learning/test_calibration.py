# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
import pytest
from scipy.special import expit

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.metrics import expected_calibration_error
from quiet_nav.learning.calibration import fit_isotonic, fit_platt, fit_temperature, to_logit


@pytest.fixture
def overconfident() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = rng.normal(0.0, 1.5, 20_000)
    return 3.0 * true, rng.random(20_000) < expit(true)


def error(p, labels) -> float:
    return float(expected_calibration_error(p, labels)(np.ones((1, len(p))))[0])


def test_temperature_undoes_overconfidence(overconfident):
    logits, labels = overconfident
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(3.0, rel=0.05)
    assert error(expit(logits / temperature), labels) < 0.02 < error(expit(logits), labels)


def test_platt_undoes_leaning_to_one_class_as_well(overconfident):
    logits, labels = overconfident
    fitted = fit_platt(logits + 2.0, labels)
    assert fitted.temperature == pytest.approx(3.0, rel=0.05)
    assert fitted.shift == pytest.approx(2.0, abs=0.15)
    assert error(fitted(logits + 2.0), labels) < 0.02


def test_isotonic_map_rises_and_calibrates(overconfident):
    logits, labels = overconfident
    calibrate = fit_isotonic(expit(logits), labels)
    grid = calibrate(np.linspace(0, 1, 101))
    assert np.all(np.diff(grid) >= 0) and grid.min() >= 0.01 and grid.max() <= 0.99
    assert error(calibrate(expit(logits)), labels) < 0.02


def test_logit_is_the_inverse_and_stays_finite():
    np.testing.assert_allclose(expit(to_logit(np.array([0.2, 0.9]))), [0.2, 0.9])
    assert np.isfinite(to_logit(np.array([0.0, 1.0]))).all()


def test_fits_refuse_what_cannot_be_fitted():
    with pytest.raises(QuietNavError, match='both classes'):
        fit_temperature(np.array([1.0, 2.0]), np.array([1, 1]))
    with pytest.raises(QuietNavError, match='finite'):
        fit_isotonic(np.array([np.nan, 0.2]), np.array([0, 1]))
