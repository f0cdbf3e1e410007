"""The sine job in usual PyTorch: a script of its own, and the loop for `numlstm bench train`."""

import numpy as np
import torch


class Forecaster(torch.nn.Module):
    """An LSTM, and a Linear on its last output."""

    def __init__(self, features: int = 1, units: int = 50) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(features, units, batch_first=True)
        self.dense = torch.nn.Linear(units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, F) to (B, 1)."""
        return self.dense(self.lstm(x)[0][:, -1])


def fit(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    epochs: int,
    shuffle: bool = True,
) -> float:
    """Train in an eager loop, and return the mean loss of the last epoch."""
    mean = 0.0
    for _ in range(epochs):
        order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
        total = 0.0
        for start in range(0, len(x), 32):
            rows = order[start : start + 32]
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        mean = total / len(x)
    return mean


if __name__ == "__main__":
    series = np.sin(np.linspace(0, 50, 1000)) + np.random.default_rng(0).normal(0, 0.1, 1000)
    windows = np.lib.stride_tricks.sliding_window_view(series, 10)[:-1, :, None]
    inputs, targets = (torch.tensor(array, dtype=torch.float32) for array in (windows.copy(), series[10:, None]))
    forecaster = Forecaster()
    print(fit(forecaster, torch.optim.Adam(forecaster.parameters(), eps=1e-7), inputs, targets, 10))
