"""How sweeps are shown: what varies, how many jobs that makes, what they will cost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.report.durations import duration

if TYPE_CHECKING:
    from cosmosq.plan import Plan
    from cosmosq.report.forecast import Forecast
    from cosmosq.sweep.definition import Definition

_TRIALS = 20
"""So many trials are shown."""
_LISTED = 12
"""So many values of a parameter are listed; of more the ends are told."""


def preview(app: App, plan: "Plan", host: str | None, *, as_json: bool) -> None:
    """All that there is to know before anything is queued, on stdout."""
    from cosmosq.moments import utc_now
    from cosmosq.report.forecast import forecast
    from cosmosq.report.outlook import outlook
    from cosmosq.report.standing import rules_of

    name, max_overtake, now = app.config.host(host).name, app.config.max_overtake, utc_now()
    loads = plan.loads(max_overtake)
    with app.ledger.read() as session:
        rules = rules_of(session, app.config, name, now)
        ahead = outlook(session, name, rules, max_overtake=max_overtake, now=now)
        cost = forecast(session, ahead, rules, plan.in_line(max_overtake), loads=loads, now=now)
    if as_json:
        output.emit_json(as_object(plan, cost, loads))
        return
    _show(plan, output.emit, output.emit_table)
    show_forecast(loads, cost, name)
    output.emit("")
    numbered = [{"trial": number, "assignment": trial} for number, trial in enumerate(plan.trials.values(), start=1)]
    show_trials(numbered, plan.definition.parameters)


def as_object(plan: "Plan", cost: "Forecast", loads: int) -> dict[str, Any]:
    """A plan as `--json` has it."""
    definition = plan.definition
    return {
        "name": plan.name,
        "method": definition.method,
        "sweep_seed": definition.sweep_seed,
        "order": definition.order,
        "trials": len(plan.trials),
        "jobs": len(plan.jobs),
        "new": len(plan.new),
        "known": _by_status(plan),
        "impossible": plan.impossible,
        "upsamplings": plan.upsamplings,
        "loads": loads,
        "forecast": cost.as_json(),
        "parameters": {parameter: str(d) for parameter, d in definition.parameters.items()},
        "assignments": [dict(trial) for trial in plan.trials.values()],
    }


def tell(plan: "Plan") -> None:
    """Before anything is queued, as words: the values and the number of jobs."""
    _show(plan, output.say, output.say_table)


def _show(
    plan: "Plan",
    line: Callable[[str], None],
    table: Callable[[Sequence[str], Sequence[Sequence[object]]], None],
) -> None:
    definition = plan.definition
    line(f"sweep {plan.name}: {definition.method}, sweep_seed {definition.sweep_seed}, order {definition.order}")
    table(("parameter", "varies as", "values"), values_of(definition, plan.trials.values()))
    prompts = len({job.wish.prompt_id for job in plan.jobs})
    line(f"{_count(len(plan.trials), 'trial')}, {_count(prompts, 'prompt')}: {_count(len(plan.jobs), 'job')}")
    if plan.had_other_contents:
        line(f"a sweep {plan.name} with other contents is there: these trials are added to it")
    if plan.upsamplings:
        line(f"{_count(plan.upsamplings, 'prompt')} upsampled first")
    if plan.known:
        line(f"{len(plan.known)} of them there already ({statuses(_by_status(plan))}), {len(plan.new)} new")
    if plan.impossible:
        line(f"{_count(plan.impossible, 'combination')} left out, the engine would refuse: {plan.reason}")


def values_of(definition: "Definition", trials: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Each parameter, how it varies, and the values that trials have of it; then those that are fixed."""
    drawn: dict[str, dict[Any, None]] = {name: {} for name in definition.parameters}
    for trial in trials:
        for name, value in trial.items():
            drawn.setdefault(name, {})[value] = None
    varied = [(name, output.one_line(_how(definition, name), 40), _values(list(v))) for name, v in drawn.items()]
    return varied + [(name, "fixed", _values([value])) for name, value in definition.fixed.items()]


def _how(definition: "Definition", name: str) -> str:
    if name in definition.parameters:
        return str(definition.parameters[name])
    return "counts up" if name == "seed" else "follows"


def _values(values: list[Any]) -> str:
    from cosmosq.sweep.distribution import written

    numbers = all(isinstance(value, int | float) for value in values)
    ordered = sorted(values) if numbers else values
    if len(ordered) <= _LISTED:
        return output.one_line(", ".join(map(written, ordered)), 80)
    if numbers:
        return f"{len(ordered)} values from {written(ordered[0])} to {written(ordered[-1])}"
    return output.one_line(f"{len(ordered)} values: {', '.join(map(written, ordered))}", 80)


def show_forecast(loads: int, forecast: "Forecast", host: str) -> None:
    """Model loads, GPU hours and the time of the end."""
    output.emit(f"{_count(loads, 'model load')} for what is new, on {host}")
    if forecast.gpu_h is None:
        output.emit(f"GPU hours: unknown, because no video was made on {host} yet")
        return
    ahead = f", after {duration(forecast.ahead_s)} of other jobs" if forecast.ahead_s else ""
    done = f"done at {output.clock(forecast.ends_at)}" if forecast.ends_at else "no run window has room for all of it"
    output.emit(f"GPU hours: {forecast.gpu_h:.2f}{ahead}; {done} if it were queued now")


def show_trials(trials: Sequence[dict[str, Any]], parameters: Iterable[str]) -> None:
    """A line a trial: its number, its values, its jobs if there are any.

    Args:
        parameters: names of what varies, in their order.
    """
    from cosmosq.sweep.distribution import written

    assigned = dict.fromkeys(name for trial in trials for name in trial["assignment"])
    names = [name for name in dict.fromkeys((*parameters, *assigned)) if name in assigned]
    with_jobs = ["jobs"] if any("jobs" in trial for trial in trials) else []
    rows = []
    for trial in trials[:_TRIALS]:
        told = trial["assignment"]
        values = [output.one_line(written(told[name]), 40) if name in told else "" for name in names]
        jobs = output.one_line(", ".join(f"{job['id']} {job['status']}" for job in trial.get("jobs", ())), 60)
        rows.append([trial["trial"], *values, *([jobs] if with_jobs else [])])
    output.emit_table(["trial", *names, *with_jobs], rows)
    if len(trials) > _TRIALS:
        output.say(f"… and {len(trials) - _TRIALS:,} more: --json has all")


def statuses(by_status: Mapping[str, int]) -> str:
    """`3 queued, 1 failed`."""
    return ", ".join(f"{number} {status}" for status, number in by_status.items())


def _by_status(plan: "Plan") -> dict[str, int]:
    found: dict[str, int] = {}
    for _, status in plan.known.values():
        found[str(status)] = found.get(str(status), 0) + 1
    return found


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
