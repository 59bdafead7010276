"""The process of a local AWS: `python -m rehearsal.cloud`, in the engine's own virtual environment.

rehearsal/cloud/local.py starts it. Its environment is that of environment.py.
"""

import argparse
import contextlib
import os
from pathlib import Path

from rehearsal.cloud.alarms import Alarms
from rehearsal.cloud.autoscaling.scaling import Scaling
from rehearsal.cloud.builds import Builds
from rehearsal.cloud.calls import CallRecord
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.every_minute import EveryMinute
from rehearsal.cloud.functions import Functions
from rehearsal.cloud.images import Images
from rehearsal.cloud.records import recorded_types
from rehearsal.cloud.sagemaker.model_package_groups import TYPE, ModelPackageGroups
from rehearsal.cloud.sagemaker.model_packages import ModelPackages
from rehearsal.cloud.sagemaker.processing_jobs import ProcessingJobs
from rehearsal.cloud.sagemaker.service import Part, SageMaker
from rehearsal.cloud.sagemaker.serving import Serving
from rehearsal.cloud.sagemaker.tags import Tags
from rehearsal.cloud.sagemaker.training_jobs import TrainingJobs
from rehearsal.reaper import Reaper


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.cloud", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True, help="which command an image URI stands for (TOML)")
    parser.add_argument("--speed", type=float, default=1.0, help="minutes of AWS's waits in a real minute")
    parser.add_argument("--hosts", choices=["auto", "namespaces", "loopback"], default="auto", help="of training jobs")
    arguments = parser.parse_args()

    with contextlib.suppress(PermissionError):  # it leads a group already
        os.setsid()
    reaper = Reaper()
    reaper.watch(os.getpgrp())  # ends the processes that the engine itself starts, when this process is gone

    from rehearsal.cloud.engine import Ministack  # it reads the environment when it is imported

    engine = Ministack(arguments.url, arguments.folder)
    clock, images = Clock(arguments.speed), Images.read(arguments.images)
    tags = Tags()
    serving = Serving(engine, images, clock, tags)
    jobs = TrainingJobs(engine, clock, images, tags, arguments.hosts)
    groups = ModelPackageGroups(engine, tags)
    processing = ProcessingJobs(engine, clock, images, tags)
    parts: list[Part] = [jobs, processing, groups, ModelPackages(engine, groups), *serving.parts]
    sagemaker = SageMaker(engine, parts, tags, serving.invoke)
    scaling = Scaling(engine, clock, sagemaker, serving)
    engine.add_service(sagemaker)
    engine.add_service(scaling.service)
    engine.list_by_tags(sagemaker.name, tags.all)
    for name, kind in {**recorded_types(engine.account), **serving.types, **scaling.types, TYPE: groups}.items():
        engine.add_type(name, kind)
    engine.on_decision(CallRecord(arguments.folder))
    engine.run_schedules(arguments.speed)
    engine.run_builds(Builds(engine))
    EveryMinute(clock, serving.publish_metrics, Alarms(engine.cloudwatch, clock).evaluate).start()
    EveryMinute(clock, scaling.scaler.look).start()
    with Functions(engine, clock, os.environ["REHEARSAL_PYTHON"]) as functions:
        engine.use_functions(functions)
        engine.run()


if __name__ == "__main__":
    main()
