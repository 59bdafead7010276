"""Which weights learn how fast, and which are held back."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.distributed.dogs import small_resnet
from training.config import Config
from training.data.batches import Batch
from training.distributed import World
from training.optim import WARM_UP, adamw, full_precision, half_type, learn, mixed_precision, one_cycle, set_rate


def settings(**changed: Any) -> Config:
    return Config(
        **{"data": Path("d"), "model_dir": Path("m"), "mode": "full", "pretrained": "w.safetensors", **changed}
    )


def peaks(config: Config) -> dict[str, float]:
    """Of each stage, by the name of its parameters."""
    network = small_resnet(num_classes=3)
    peak = {id(p): group["peak"] for group in adamw(network, config).param_groups for p in group["params"]}
    return {name: peak[id(parameter)] for name, parameter in network.named_parameters()}


def test_a_pretrained_network_learns_the_slower_the_nearer_to_the_pixels() -> None:
    found = peaks(settings(learning_rate=0.01))
    stages = ["conv1.weight", *(f"layer{stage}.0.conv1.weight" for stage in (1, 2, 3, 4)), "fc.weight"]
    rates = [found[name] for name in stages]
    assert rates == sorted(rates)
    assert rates[-2:] == pytest.approx([0.001, 0.01])
    assert rates[0] < 0.0002


def test_from_nothing_every_weight_learns_alike() -> None:
    assert set(peaks(settings(pretrained="none")).values()) == {0.001}


def test_norm_layers_and_biases_do_not_decay_and_all_else_does() -> None:
    network = small_resnet(num_classes=3)
    decay = {id(p): group["weight_decay"] for group in adamw(network, settings()).param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        assert decay[id(parameter)] == (0.05 if parameter.ndim > 1 else 0.0), name


def test_all_rates_follow_one_curve() -> None:
    optimizer = adamw(small_resnet(num_classes=3), settings())
    set_rate(optimizer, 0.7)
    assert len({round(group["lr"] / group["peak"], 9) for group in optimizer.param_groups}) == 1


def test_no_gradient_is_scaled_in_bf16() -> None:
    assert not mixed_precision(torch.device("cpu")).scaler.is_enabled()


def test_a_gpu_computes_in_fp16_whatever_it_says_of_bf16() -> None:
    assert half_type(torch.device("cuda")) is torch.float16


def test_the_rate_rises_in_a_line_and_falls_along_half_a_cosine() -> None:
    rates = [one_cycle(step / 100) for step in range(101)]
    peak = round(100 * WARM_UP)
    assert (rates[0], rates[peak], rates[100]) == pytest.approx((0.01, 1.0, 0.01))
    rises = [after - before for before, after in pairwise(rates[: peak + 1])]
    assert rises == pytest.approx([rises[0]] * peak)
    assert all(after < before for before, after in pairwise(rates[peak:]))
    middle = one_cycle((1 + WARM_UP) / 2)
    assert middle == pytest.approx((1.0 + 0.01) / 2)  # a cosine's, halfway down
    assert one_cycle(WARM_UP + 0.1) > 1.0 - 0.99 * 0.1 / (1 - WARM_UP)  # and flatter than a line at its start


def test_a_step_in_chunks_is_the_step_of_the_whole_batch() -> None:
    learnt = []
    for chunk in (None, 3):
        torch.manual_seed(1)
        network = torch.nn.Linear(6, 4)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        batch = Batch(torch.randn(11, 6), torch.arange(11) % 4, 11)
        lost = learn(
            network,
            batch,
            loss_of=torch.nn.CrossEntropyLoss(reduction="sum"),
            optimizer=optimizer,
            precision=full_precision(),
            world=World(0, 1, torch.device("cpu")),
            chunk=chunk,
        )
        learnt.append((network.weight.detach(), lost))
    torch.testing.assert_close(learnt[0], learnt[1])
