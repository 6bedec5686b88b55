"""The jobs in the panel: it starts them, looks at them, and shows their progress and their end."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from ..forms.markdown import bold, escaped, paragraphs
from ..runs import jobs
from ..runs.results import told
from ..runs.run import view_of
from .cards import in_words
from .drawing import box, row
from .steps.step import OPERATORS, PREVIEW, Step

SAME_CLICK = timedelta(seconds=2)


class Background(Step):
    """What the panel does in the background.

    A step starts a job by ``start``. When it is done, its method ``on_<kind>_done`` gets the result.
    Jobs that an operator's form started are shown too.
    """

    def set_error(self, ctx: Any, sentence: str) -> None:
        """Show an error until what is entered changes."""
        raise NotImplementedError

    def on_made(self, ctx: Any) -> None:
        """Take notice of what an operator has computed."""
        raise NotImplementedError

    # Events

    def on_tick(self, ctx: Any) -> None:
        """Look at the jobs; the end of each is handled once."""
        ended = self.ended(ctx)
        left = {job.id for job in jobs.jobs_of(ctx.dataset)} - {job.id for job in ended}
        ctx.panel.set_state("awaited", [one for one in self.awaited(ctx) if one in left])
        for job in ended:
            result = jobs.result_of(ctx.dataset, job)
            handler = getattr(self, f"on_{job.kind}_done", None)
            if result is not None and handler is not None:
                handler(ctx, result)
            elif result is not None:
                self._on_operator_done(ctx, job, result)
            elif job.state == jobs.FAILED:
                sentence = in_words(job.error or "", list(self.cards(ctx).values()))
                self.set_error(ctx, f"{job.title}: {sentence}")
            else:
                ctx.ops.notify(f"Stopped: {job.title}", variant="info")
        self.update(ctx)

    def on_stop_job(self, ctx: Any) -> None:
        """Stop a job."""
        jobs.stop(ctx.dataset, ctx.params["job"])

    def on_show_result(self, ctx: Any) -> None:
        """Show a result as the operator itself shows it: with its tables and plots."""
        shown = {name: ctx.params[name] for name in ("operator", "job")}
        ctx.prompt(f"{OPERATORS}/show_result", params=shown)

    def on_close_result(self, ctx: Any) -> None:
        """Remove the result of an operator that was done in the background."""
        ctx.panel.set_state("finished", None)

    def _on_operator_done(self, ctx: Any, job: jobs.Job, result: dict[str, Any]) -> None:
        """Show the result of an operator that went on in the background."""
        ctx.ops.reload_dataset()
        if result.get("run_key"):
            ctx.ops.set_view(view=view_of(ctx.dataset, result))
        shown = {"title": job.title, "lines": told(result), "operator": job.kind, "job": job.id}
        ctx.panel.set_state("finished", shown)
        self.on_made(ctx)
        ctx.ops.notify(f"Done: {job.title}", variant="success")

    # State

    def start(self, ctx: Any, kind: str, title: str, work: jobs.Work) -> None:
        """Start a job, and wait for its end in ``on_tick``."""
        job_id = self._of_the_same_click(ctx, kind) or jobs.start(ctx.dataset, kind, title, work)
        # Here, for a short job has ended before the panel is drawn.
        awaited = [*self.awaited(ctx), job_id]
        ctx.panel.set_state({f"jobs.{kind}": job_id, "awaited": list(dict.fromkeys(awaited))})
        if kind == PREVIEW:
            ctx.panel.set_state("previewed", self.recipe_key(ctx))

    def _of_the_same_click(self, ctx: Any, kind: str) -> str | None:
        """Return the id of the job that a double click has started; None if there is none.

        The second event of a double click does not know yet what the first one started.
        """
        known, now = ctx.panel.get_state(f"jobs.{kind}"), datetime.now(timezone.utc)
        for job in jobs.jobs_of(ctx.dataset):
            made = job.made.replace(tzinfo=timezone.utc)
            if job.kind == kind and job.id != known and now - made < SAME_CLICK:
                return job.id
        return None

    def awaited(self, ctx: Any) -> list[str]:
        """Return the ids of the jobs whose end was not handled yet."""
        return list(ctx.panel.get_state("awaited") or [])

    def running(self, ctx: Any) -> list[jobs.Job]:
        """Return the jobs of the dataset that run, also those that an operator's form started."""
        running = [job for job in jobs.jobs_of(ctx.dataset) if job.runs]
        awaited = self.awaited(ctx)
        new = [job.id for job in running if job.id not in awaited]
        if new:
            ctx.panel.set_state("awaited", [*awaited, *new])
        return running

    def ended(self, ctx: Any) -> list[jobs.Job]:
        """Return the jobs that have ended, and whose end was not handled yet."""
        found = [jobs.job_of(ctx.dataset, one) for one in self.awaited(ctx)]
        return [job for job in found if job is not None and not job.runs]

    # Drawing

    def draw_jobs(self, ctx: Any, top: Any, running: list[jobs.Job]) -> None:
        """Draw how far each job is, with a button to stop it."""
        for job in running:
            inside = box(top, f"job_{job.kind}", gap=0)
            what = "Stopping" if job.stopping else job.label
            inside.md(f"**{job.title}**: {escaped(what)}, {job.share:.0%}", name="label")
            inside.btn(
                "stop",
                label="Stop",
                icon="stop",
                disabled=job.stopping,
                on_click=self.on_stop_job,
                params={"job": job.id},
            )

    def draw_finished(self, ctx: Any, top: Any) -> None:
        """Draw the result of an operator that was done in the background, until it is closed."""
        finished = ctx.panel.get_state("finished")
        if finished:
            lines = [bold(finished["title"]), *map(escaped, finished["lines"])]
            inside = box(top, "finished_box", gap=0)
            inside.md(paragraphs(lines), name="text")
            buttons = row(inside, "buttons")
            buttons.btn(
                "show",
                label="Show the result",
                icon="table_chart",
                on_click=self.on_show_result,
                params={name: finished[name] for name in ("operator", "job")},
            )
            buttons.btn("close", label="Close", icon="close", on_click=self.on_close_result)
