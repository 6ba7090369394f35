"""What calls a learner's function where the arguments are of a kind that cannot cross to its kernel.

A `Question` names one of these functions; plain data goes in, plain data comes out. Nothing here decides anything.
"""

from collections.abc import Callable
from typing import Any

import torch


class Listener(torch.nn.Module):
    """The smallest model that CTC can train: one linear layer on blocks of samples.

    (B, T) waveforms and (B,) lengths in samples → log-probabilities (B, T // block, C) and (B,) lengths in frames.
    `modes` remembers whether it was in train mode each time it was called.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight.clone())
        self.bias = torch.nn.Parameter(bias.clone())
        self.modes: list[bool] = []

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-probabilities of every frame, and how many frames each recording has."""
        self.modes.append(self.training)
        block = self.weight.shape[1]
        frames = waveforms.unfold(1, block, block)
        return (frames @ self.weight.mT + self.bias).log_softmax(-1), lengths // block


def steps(
    train_step: Callable,
    weight: torch.Tensor,
    bias: torch.Tensor,
    batch: dict[str, torch.Tensor],
    learning_rate: float,
    count: int = 1,
    left_over: float = 0.0,
) -> dict[str, Any]:
    """Call `train_step(model, batch, optimizer)` `count` times on a `Listener`, each time in eval mode.

    The optimizer is SGD with momentum 0.5, and every gradient is `left_over` before the first call. Returns `losses`
    (what the calls returned), `weight` and `bias` afterwards, `left_in_train_mode` for each call and
    `called_in_train_mode` for each forward pass.
    """
    model = Listener(weight, bias)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, left_over)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.5)
    losses, modes = [], []
    for _ in range(count):
        model.eval()
        losses.append(train_step(model, batch, optimizer))
        modes.append(model.training)
    return {
        "losses": losses,
        "weight": model.weight.detach(),
        "bias": model.bias.detach(),
        "left_in_train_mode": modes,
        "called_in_train_mode": model.modes,
    }
