"""Dense networks that are there: those of a study that was run, and those of a folder of checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from secateurs.core import Moment, RecipeError, StoreError, did_you_mean
from secateurs.jobs import Entry, Job
from secateurs.jobs.files import record
from secateurs.jobs.store import flatten
from secateurs.studies.advice.checkpoints import checkpoints_in, given_in
from secateurs.studies.advice.recipe import COMPARED, Question, advice_on_networks, trained_as_said
from secateurs.studies.folder import StudyFolder
from secateurs.studies.recipe import parse_overrides
from secateurs.studies.runs import load_data, located
from secateurs.studies.schema import Regimes, StudyRecipe
from secateurs.studies.schema.advice import Advice, Given
from secateurs.train import TrainSettings

_DENSE = "dense_run"
_STATE = "state_at"
_OF_A_STATE = "model/"
_SELF_SAID = ("model", "data", "train")


class _Run(NamedTuple):
    """A finished dense run of a study."""

    job: Job
    entry: Entry

    @property
    def train(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = self.job.config["train"]
        return config

    @property
    def seed(self) -> int:
        return int(self.job.config["seeds"]["init"])


def advice_on_study(root: Path, asked: Question) -> tuple[Advice, tuple[str, ...]]:
    """The advice on the dense networks of a study that was run, and what of them is left out, in words.

    Nothing dense is trained again: they are taken from the study's store, as their last checkpoint, or as the
    checkpoints, or the states that were pruned there, of the epochs that are asked for. They are retrained as the
    study does.

    Raises:
        StoreError: when there is no study, it has no dense run that is done, or no checkpoint of an epoch.
        RecipeError: when its dense networks are of several architectures or data sets, and none is named.
    """
    study = StudyFolder(root)
    for key in parse_overrides(asked.overrides, str(root)):
        if key in _SELF_SAID:
            raise RecipeError(
                f"{root}: {key} is what its study has: leave {key} out, or give the recipe in place of the folder, "
                "whose networks are trained then"
            )
    every = study.jobs()
    jobs = [job for job in every if job.name == _DENSE]
    if not jobs:
        raise StoreError(f"{root}: its study trains no dense network: name the folder that its networks are from")
    if asked.setting is not None:
        labels = dict.fromkeys(job.group for job in jobs)
        jobs = [job for job in jobs if job.group == asked.setting]
        if not jobs:
            raise RecipeError(f"{root}: --setting: no setting {asked.setting!r}{did_you_mean(asked.setting, labels)}")
    runs = [_Run(job, study.store.entry(job)) for job in jobs]
    done = [run for run in runs if run.entry.done]
    if not done:
        raise StoreError(f"{root}: no dense run of its study is done: go on with it: {study.ordered().command}")
    sound = [run for run in done if run.entry.summary["diverged"] is None]
    if not sound:
        raise StoreError(f"{root}: all dense runs of its study diverged, so that there is nothing to prune")
    _check_one_network(root, sound)
    seeds = sorted({run.seed for run in sound})[: asked.seeds]
    networks: dict[str, list[Given]] = {}
    for run in sound:
        for given in _given(root, run, _states(study, run, every), asked.at) if run.seed in seeds else ():
            networks.setdefault(_name(run, given, sound), []).append(given)
    ordered = study.ordered().recipe
    recipe = ordered.each().get(sound[0].job.group, ordered)
    base = {
        "model": sound[0].job.config["model"],
        "data": located(sound[0].job.config, sound[0].job.where)["data"],
        "train": recipe.train.model_dump(mode="json"),
        "threads": recipe.threads,
        **_as_of_regimes(recipe),
    }
    left = [f"{len(runs) - len(done)} dense runs that are not done"] if len(done) < len(runs) else []
    left += [f"{len(done) - len(sound)} that diverged"] if len(sound) < len(done) else []
    asked_here = Question(**{**vars(asked), "at": (), "seeds": None})
    return advice_on_networks(networks, base, asked_here, str(root)), tuple(left)


def advice_on_checkpoints(
    root: Path, recipe: str | None, scale: str | None, asked: Question
) -> tuple[Advice, tuple[str, ...]]:
    """The advice on a folder of state dicts, each a candidate by its file's name; and what in it was not read.

    Args:
        recipe: says network, data and training; None: the overrides do.

    Raises:
        StoreError: when there are none, or one cannot be read.
        TrainingError: when one is of another network, is not finite, or is pruned already.
        RecipeError: when it is not said what they are of.
    """
    if asked.at:
        raise RecipeError("--at: files are as they are: put checkpoints of other epochs into the folder")
    if asked.seeds is not None:
        raise RecipeError("--seeds: files are as they are: --copies says how many are retrained of each")
    files, pickles = checkpoints_in(root)
    base = trained_as_said(recipe, scale, asked)
    plain = Question(**{**vars(asked), "setting": None})
    bare = advice_on_networks({}, base, plain, recipe or str(root))
    data, seed = load_data(bare.data), bare.seeds[0]
    networks = {path.name: [given_in(path, bare.model, data, seed)] for path in files}
    left = [f"{path.name}, a pickle" for path in pickles]
    return advice_on_networks(networks, base, plain, recipe or str(root)), tuple(left)


def _check_one_network(root: Path, runs: Sequence[_Run]) -> None:
    for what in ("model", "data"):
        if len({_text(run.job.config[what]) for run in runs}) > 1:
            labels = dict.fromkeys(run.job.group for run in runs if run.job.group)
            remedy = f"name one with --setting{did_you_mean('', labels)}" if len(labels) > 1 else "run it by itself"
            raise RecipeError(f"{root}: its dense networks are of several kinds ({what}): {remedy}")


def _as_of_regimes(recipe: StudyRecipe) -> dict[str, Any]:
    """What a study of regimes says beside its dense networks: pruning, retraining, comparing; of others, what of the
    network they leave alone."""
    if not isinstance(recipe, Regimes | Advice):
        exclude = getattr(getattr(recipe, "prune", None), "exclude", ())
        return {"prune": {"exclude": list(exclude)}} if exclude else {}
    retraining = (recipe.regimes if isinstance(recipe, Advice) else recipe).retraining
    told = recipe.model_dump(mode="json", include={"prune", "threshold", "similar_from"})
    compare = recipe.compare.model_dump(mode="json", include=set(COMPARED))
    return {**told, "retrain": retraining.model_dump(mode="json"), "compare": compare}


def _states(study: StudyFolder, run: _Run, jobs: Sequence[Job]) -> dict[Moment, Path]:
    """The states of a dense run that its study kept apart from its checkpoints, as where it prunes."""
    mine = [job for job in jobs if job.name == _STATE and job.inputs["dense"].key == run.job.key]
    entries = {job.config["at"]: study.store.entry(job) for job in mine}
    return {
        Moment.parse(at, run.entry.summary["steps_per_epoch"]): entry.path / "state.safetensors"
        for at, entry in entries.items()
        if entry.done and entry.summary["diverged"] is None
    }


def _given(root: Path, run: _Run, states: Mapping[Moment, Path], at: Sequence[int]) -> list[Given]:
    """The checkpoints and states of a run that are asked for; the last one where none is."""
    summary = run.entry.summary
    per_epoch = summary["steps_per_epoch"]
    there = {Moment.parse(name, per_epoch): run.entry.path / f"{name}.safetensors" for name in summary["checkpoints"]}
    there = {**states, **there}
    wanted = [Moment.parse(epoch, per_epoch) for epoch in at] or [max(there)]
    for moment in wanted:
        if moment not in there:
            told = ", ".join(f"{each.epochs:g}" for each in sorted(there) if each.steps)
            raise StoreError(
                f"{root}: {run.job.label} has no checkpoint of epoch {moment.epochs:g}, but of {told}: choose among "
                "them with --at, or give the recipe in place of the folder"
            )
    files = {moment: there[moment] for moment in wanted}
    train = TrainSettings.model_validate(run.train)
    return [
        Given(
            file=str(path.resolve()),
            digest=record(path).sha256,
            prefix=_OF_A_STATE,
            seed=run.seed,
            stopped=moment.epochs,
            train=train,
        )
        for moment, path in files.items()
    ]


def _name(run: _Run, given: Given, runs: Sequence[_Run]) -> str:
    """What a network of a study is called: by its epoch, and what is other in its training than in others'."""
    ways = [flatten(dict(train)) for train in {_text(each.train): each.train for each in runs}.values()]
    own, keys = flatten(dict(run.train)), dict.fromkeys(key for way in ways for key in way)
    differing = [key for key in keys if len({_text(way.get(key)) for way in ways}) > 1]
    told = [f"{key} {own[key]}" for key in differing if key in own]
    return ", ".join([f"epoch {given.stopped:g}", *told])


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


__all__ = ["advice_on_checkpoints", "advice_on_study"]
