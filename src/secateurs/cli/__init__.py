"""The command line.

``secateurs demo | run | prune | ticket | advise | status | report | compare | clean | recipes``
"""

from secateurs.cli.advise import advise
from secateurs.cli.application import app, main
from secateurs.cli.folders import clean, compare, report, status
from secateurs.cli.listing import recipes
from secateurs.cli.pruning import prune
from secateurs.cli.running import demo, run_recipe
from secateurs.cli.ticket import ticket

app.command()(demo)
app.command("run")(run_recipe)
app.command()(prune)
app.command()(ticket)
app.command()(advise)
app.command()(status)
app.command()(report)
app.command()(compare)
app.command()(clean)
app.command()(recipes)

__all__ = ["app", "main"]
