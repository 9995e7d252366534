"""Weights & Biases by its library (pip install wandb); WANDB_MODE=offline writes to disk alone."""

from trouble import TrackerTrouble


class WandbSink:
    """Logs into one W&B run for each LVRPO run: the same id resumes it, and steps that are there are not taken again."""

    name = "wandb"

    def __init__(self, project, run_id):
        import wandb
        self.wandb = wandb
        try:
            self.run = wandb.init(project=project, id=run_id, name=run_id, resume="allow", config={})
        except Exception as error:  # its library has many, of no common kind
            raise TrackerTrouble(f"W&B: {error}") from error

    def last_step(self):
        """The highest step that is there, -1 without any: W&B counts from the next one."""
        return int(self.run.step) - 1

    def log(self, rows):
        for step, seconds, figures in rows:
            self.run.log({**figures, "unix_seconds": seconds}, step=step)

    def log_samples(self, step, name, pictures, score):
        """At the step whose weights they are of, or at the newest one, since W&B's steps only rise."""
        values = {"samples": [self.wandb.Image(str(image), caption=caption) for image, caption in pictures],
                  "evaluated_step": step}
        if score is not None:
            values["heldout_score"] = score
        self.run.log(values, step=max(step - 1, int(self.run.step)))

    def close(self, finished):
        self.run.finish()
