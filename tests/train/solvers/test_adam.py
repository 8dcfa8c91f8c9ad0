"""Adam and the learning-rate schedule against torch's."""

import numpy as np
import pytest
from lager.train.solvers.adam import AdamSettings, _Plateau, adam
from lager.train.solvers.mixture_loss import MixtureLoss, label_major
from lager.train.solvers.training_targets import target_distributions
from support.readouts import SCALE, simulate


def test_adam_with_plateau_takes_torchs_steps() -> None:
    torch = pytest.importorskip("torch")
    data = simulate(22, n_layers=3, informative=(2,))
    logits = data.logits.astype(np.float64)
    targets = target_distributions(data.human, SCALE.array)
    items = MixtureLoss(label_major(logits), targets, data.human, SCALE.array, 1.0, 0.5, "squared")
    settings = AdamSettings(learning_rate=0.3, epochs=12)
    ours = adam(lambda w, batch: batch(w), items, np.full(4, 0.25), settings=settings, seed=42)

    torch.manual_seed(42)
    x, y, t = (torch.tensor(a) for a in (logits, data.human, targets.T.copy()))
    weights = torch.full((4,), 0.25, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=0.3)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=1, min_lr=1e-3)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y, t), batch_size=4, shuffle=True)
    for _ in range(12):
        losses = []
        for logits_of_batch, human, target in loader:
            z = torch.einsum("l,nlk->nk", weights, logits_of_batch)
            expected = z.softmax(-1) @ torch.arange(1.0, 6.0, dtype=torch.float64)
            loss = 0.5 * torch.nn.functional.cross_entropy(z, target) + 0.5 * ((expected - human) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        schedule.step(np.mean(losses))
    assert optimiser.param_groups[0]["lr"] < 0.3, "the schedule should have acted, or this compares too little"
    np.testing.assert_allclose(ours, weights.detach().numpy(), rtol=1e-6)


def test_learning_rate_halves_after_two_bad_epochs_and_stops_at_its_floor() -> None:
    schedule = _Plateau(AdamSettings(learning_rate=0.003, min_learning_rate=0.001))
    rates = []
    for loss in (1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5):
        schedule.step(loss)
        rates.append(schedule.learning_rate)
    assert rates == [0.003, 0.003, 0.003, 0.0015, 0.0015, 0.001, 0.001, 0.001]
