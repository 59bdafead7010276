"""Learning rates by stage, weight decay, the schedule, and the training step."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from contract.options import RECIPES, Recipe
from tests.distributed.small_network import SMALL, SmallNetwork
from training.data.batches import Batch
from training.distributed import World
from training.model.backbone import RESNET50, Backbone, BackboneError
from training.model.network import build
from training.optim import WARM_UP, adamw, one_cycle, set_rate
from training.precision import full_precision, half_type, mixed_precision
from training.step import train_step

RECIPE = RECIPES["full"]


def peaks(backbone: Backbone, recipe: Recipe = RECIPE) -> dict[str, float]:
    """The peak rate of each parameter, by its name."""
    network = backbone.build(3, True)
    optimizer = adamw(network, recipe, backbone.rate_share)
    peak = {id(p): group["peak"] for group in optimizer.param_groups for p in group["params"]}
    return {name: peak[id(parameter)] for name, parameter in network.named_parameters()}


def test_resnet50_stages_nearer_to_the_input_have_lower_rates() -> None:
    found = peaks(RESNET50)
    stages = ["conv1.weight", *(f"layer{stage}.0.conv1.weight" for stage in (1, 2, 3, 4)), "fc.weight"]
    shares = [found[name] / RECIPE.learning_rate for name in stages]
    assert shares == pytest.approx([0.0125, 0.0125, 0.025, 0.05, 0.1, 1.0])


def test_the_rates_of_another_backbone_are_those_of_its_stages() -> None:
    found = peaks(SMALL)
    for stage, share in {**SMALL.stages, SMALL.head: 1.0}.items():
        rates = {rate for name, rate in found.items() if name.startswith(f"{stage}.")}
        # exact: one product of the same two doubles, or a copy of one
        assert rates == {RECIPE.learning_rate * share}


def test_a_parameter_outside_every_stage_is_an_error_that_names_it() -> None:
    """Otherwise it would be trained at an unintended rate."""
    renamed = replace(SMALL, stages={"stem": 0.1, "earl": 0.2, "late": 0.5})
    with pytest.raises(
        BackboneError, match=r"early\.0\.weight of the small network .* nor to a stage \(stem, earl, late\)"
    ):
        build(3, "none", renamed)


def test_without_shares_every_weight_has_the_same_rate() -> None:
    optimizer = adamw(SmallNetwork(3), RECIPE)
    # exact: one product of the same two doubles, or a copy of one
    assert {group["peak"] for group in optimizer.param_groups} == {RECIPE.learning_rate}


def test_norm_layers_and_biases_have_no_weight_decay_and_all_other_weights_do() -> None:
    network = SmallNetwork(3)
    decay = {id(p): group["weight_decay"] for group in adamw(network, RECIPE).param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        # exact: one product of the same two doubles, or a copy of one
        assert decay[id(parameter)] == (RECIPE.weight_decay if parameter.ndim > 1 else 0.0), name


def test_all_rates_follow_one_curve() -> None:
    optimizer = adamw(SmallNetwork(3), RECIPE, SMALL.rate_share)
    set_rate(optimizer, 0.7)
    assert len({round(group["lr"] / group["peak"], 9) for group in optimizer.param_groups}) == 1


def test_gradients_are_not_scaled_on_a_cpu() -> None:
    assert not mixed_precision(torch.device("cpu")).scaler.is_enabled()


def test_a_gpu_computes_in_fp16_even_if_it_reports_bf16() -> None:
    assert half_type(torch.device("cuda")) is torch.float16


def test_the_rate_rises_linearly_and_falls_along_half_a_cosine() -> None:
    rates = [one_cycle(step / 100) for step in range(101)]
    peak = round(100 * WARM_UP)
    assert (rates[0], rates[peak], rates[100]) == pytest.approx((0.01, 1.0, 0.01))
    rises = [after - before for before, after in pairwise(rates[: peak + 1])]
    assert rises == pytest.approx([rises[0]] * peak)
    assert all(after < before for before, after in pairwise(rates[peak:]))
    middle = one_cycle((1 + WARM_UP) / 2)
    assert middle == pytest.approx((1.0 + 0.01) / 2)  # halfway down a cosine
    assert one_cycle(WARM_UP + 0.1) > 1.0 - 0.99 * 0.1 / (1 - WARM_UP)  # flatter than a line at its start


def test_a_step_in_micro_batches_is_the_step_of_the_whole_batch() -> None:
    results = []
    for micro_batch in (None, 3):
        torch.manual_seed(1)
        network = torch.nn.Linear(6, 4)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        batch = Batch(torch.randn(11, 6), torch.arange(11) % 4, 11)
        loss_sum = train_step(
            network,
            batch,
            loss=torch.nn.CrossEntropyLoss(reduction="sum"),
            optimizer=optimizer,
            precision=full_precision(),
            world=World(0, 1, torch.device("cpu")),
            micro_batch=micro_batch,
        )
        results.append((network.weight.detach(), loss_sum))
    torch.testing.assert_close(results[0], results[1])
