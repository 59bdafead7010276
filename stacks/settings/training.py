"""Settings of the training job, and of the deploy that waits for it."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar

from contract.declarations import Pattern, Range
from contract.options import TrainingOptions
from stacks.settings.network import SECURITY_GROUPS, SUBNETS, check_vpc
from stacks.settings.rules import S3_FOLDER, S3_OBJECT, SAGEMAKER_INSTANCE_TYPE, check, require

WAIT_CEILING_MIN = 55
"""The CDK Provider framework waits an hour at most, its own calls included; five minutes are left for those."""
STARTUP_MIN = 10
"""Of that wait: getting the instances, loading the image and the data, writing the artifact."""
LONGEST_MIN = WAIT_CEILING_MIN - STARTUP_MIN
RANDOM = "none"
"""The value of `pretrained_uri`, and of the option --pretrained, with which every weight starts random."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSettings(TrainingOptions):
    """The options of the training script (contract/options.py), and where and when it runs."""

    instance_type: Annotated[str, SAGEMAKER_INSTANCE_TYPE] = "ml.g4dn.xlarge"
    """Type of each host. An ml.g4dn.xlarge has one T4 GPU."""
    instance_count: Annotated[int, Range(1, 20, "hosts")] = 2
    """Hosts that train together, with DistributedDataParallel."""
    # a job on one of them has the type in its name, for which SageMaker allows 63 characters
    fallback_instance_types: Annotated[
        tuple[str, ...],
        Pattern(rf"(?=.{{1,17}}$){SAGEMAKER_INSTANCE_TYPE.expression}", "types such as ml.g5.xlarge, comma-separated"),
    ] = ()
    """Types to try, in this order and once each, if AWS has no capacity for `instance_type`. At most 4."""
    spot: bool = False
    """Whether to train on spare capacity, for about a third of the price. SageMaker may interrupt the job, which then
    continues from its last checkpoint."""
    spot_max_wait_min: Annotated[int, Range(1, LONGEST_MIN, "minutes")] = LONGEST_MIN
    """With `spot`, minutes for the whole job, its waiting for instances included."""
    volume_gib: Annotated[int, Range(1, 16384, "GiB")] = 100
    """Volume of each host. An ml.g4dn.xlarge has a disk of 125 GB and accepts no larger volume."""
    max_runtime_min: Annotated[int, Range(1, LONGEST_MIN, "minutes")] = LONGEST_MIN
    """Minutes after which the job is stopped. With the start of the instances it must fit the time that a deploy
    waits."""
    # each poll takes seconds, and all polls together must fit CloudFormation's hour
    poll_interval_s: Annotated[int, Range(30, 300, "seconds")] = 30
    """How often a deploy reads the job's status."""
    pretrained_uri: Annotated[
        str,
        Pattern(rf"|{RANDOM}|{S3_OBJECT}(?<=\.safetensors)", f"s3://BUCKET/KEY.safetensors, {RANDOM}, or empty"),
    ] = ""
    """S3 object with pretrained ResNet50 weights, given to the job as the channel `pretrained`. `make deploy` passes
    the newest ones that `kennel weights upload` sent to the bucket. Empty: each host downloads ImageNet's while it is
    billed. `none`: every weight starts random, which needs `mode` full."""
    checkpoint_every: Annotated[int, Range(1, 10_000, "epochs")] = 1
    """Epochs between two checkpoints; the last epoch is always saved. In full mode a checkpoint has 400 MB, which the
    job writes and SageMaker uploads. It changes no result, so another value starts no other training."""

    data_uri: Annotated[str, Pattern(rf"|{S3_FOLDER}", "s3://BUCKET/PREFIX/, or empty")] = ""
    """Where the photos are, if a bucket has them already: `train/`, `valid/` and `test/` below this prefix, in the
    region of the deploy. The job may read this prefix and nothing else there; a bucket of another account must allow
    it too. Empty: `storage.data_prefix` in the storage stack's bucket, which the workbench reads in any case."""
    data_version: Annotated[str, Pattern(r"[A-Za-z0-9._-]{0,64}", "at most 64 letters and digits, or empty")] = ""
    """Digest of the photos' listing; another digest starts another training. `make deploy` passes the one that
    `kennel data version` prints. Empty: a deploy that trains lists the photos itself, and a later deploy does so again
    only if another setting changes."""
    model_data: Annotated[str, Pattern(rf"|{S3_OBJECT}(?<=\.tar\.gz)", "s3://BUCKET/KEY.tar.gz, or empty")] = ""
    """S3 URI of a finished model.tar.gz. Set: nothing is trained, and the endpoint serves this artifact."""

    least_accuracy: Annotated[float, Range(0.0, 1.0)] = 0.0
    """A trained model whose accuracy on the test photos is lower is registered as Rejected, and the deploy stops before
    the endpoint changes (docs/decisions/0117-models-in-the-registry.md)."""
    accuracy_tolerance: Annotated[float, Range(0.0, 1.0)] = 0.05
    """By how much the accuracy of a new model may be lower than that of the serving one. A model that is worse than
    that is treated in the same way. 1 turns the comparison off."""

    image_tag: Annotated[str, Pattern(r"[A-Za-z0-9._-]{1,128}", "an image tag")] = "2.14-cu133-amzn2023-sagemaker"
    """Tag in AWS's training repository `pytorch` (docs/decisions/0004-training-image.md)."""
    image_end_of_patch: date = date(2027, 8, 21)
    """Until when AWS patches this image: for a year. 2.14 was published after 2026-08-21, so this is the earliest end.
    Synth warns once it has passed."""

    package_index: Annotated[
        str,
        Pattern(
            r"|https://[^\s@?#]{1,500}|"
            r"arn:aws[a-z-]*:codeartifact:[a-z0-9-]+:[0-9]{12}:repository/[A-Za-z0-9-]+/[A-Za-z0-9._-]+",
            "https://HOST/PATH of a package index without a password, the ARN of a CodeArtifact repository "
            "(arn:aws:codeartifact:REGION:ACCOUNT:repository/DOMAIN/REPOSITORY), or empty",
        ),
    ] = ""
    """Where the job finds its packages, for a VPC without a route to PyPI. Their hashes are checked in any case. Empty:
    PyPI."""
    subnets: Annotated[tuple[str, ...], SUBNETS] = ()
    """Subnets of your VPC in which the job runs, 1 to 16, with a route to S3 and to the package index
    (docs/environments.md). Empty: SageMaker's own network."""
    security_groups: Annotated[tuple[str, ...], SECURITY_GROUPS] = ()
    """Security groups of the job, 1 to 5, if it has `subnets`. With several hosts they must allow TCP between their
    members; a deploy checks that before it starts the job."""

    WAIT_CEILING_MIN: ClassVar = WAIT_CEILING_MIN
    STARTUP_MIN: ClassVar = STARTUP_MIN

    def __post_init__(self) -> None:
        # before `check`, because this sentence has the reason
        require(
            1 <= self.max_runtime_min <= LONGEST_MIN,
            "training.max_runtime_min",
            self.max_runtime_min,
            f"between 1 and {LONGEST_MIN}, because a deploy waits {WAIT_CEILING_MIN} minutes at most "
            "(train a longer job outside the deploy and pass it in as training.model_data)",
        )
        check(self, "training")
        require(
            self.instance_type != "ml.g4dn.xlarge" or self.volume_gib <= 125,
            "training.volume_gib",
            self.volume_gib,
            "at most 125 on ml.g4dn.xlarge, the size of its own disk",
        )
        require(
            not self.spot or self.spot_max_wait_min >= self.max_runtime_min,
            "training.spot_max_wait_min",
            self.spot_max_wait_min,
            f"at least training.max_runtime_min ({self.max_runtime_min}), which it includes",
        )
        require(
            WAIT_CEILING_MIN * 60 % self.poll_interval_s == 0,
            "training.poll_interval_s",
            self.poll_interval_s,
            f"a divisor of {WAIT_CEILING_MIN * 60}, such as 30",
        )
        require(
            self.batch_size % self.instance_count == 0,
            "training.batch_size",
            self.batch_size,
            f"a multiple of training.instance_count ({self.instance_count})",
        )
        require(
            self.pretrained_uri != RANDOM or self.mode == "full",
            "training.pretrained_uri",
            self.pretrained_uri,
            f"the weights of a backbone in mode {self.mode}, which trains the head alone; choose training.mode = full "
            "to train without pretrained weights",
        )
        self._check_fallbacks()
        check_vpc("training", self.subnets, self.security_groups)

    @property
    def weights_uri(self) -> str:
        """The object of the channel `pretrained`; empty if the job has no such channel."""
        return "" if self.pretrained_uri == RANDOM else self.pretrained_uri

    def _check_fallbacks(self) -> None:
        kinds, written = self.fallback_instance_types, ",".join(self.fallback_instance_types)
        require(
            len({self.instance_type, *kinds}) == 1 + len(kinds),
            "training.fallback_instance_types",
            written,
            f"different types, none of them training.instance_type ({self.instance_type})",
        )
        require(
            len(kinds) <= 4,
            "training.fallback_instance_types",
            written,
            "at most 4 types, because a deploy waits for each in turn",
        )
