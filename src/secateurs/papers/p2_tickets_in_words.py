"""What the tickets of a recipe are: their roles in P2, and a line about each."""

from __future__ import annotations

from secateurs.report.tickets import Role
from secateurs.studies.schema import TicketRecipe

_WEIGHTS = {
    "rewound": "weights rewound to k",
    "redrawn": "initial weights drawn anew",
    "trained": "weights of the end, trained with the whole schedule again",
}


def role(said: TicketRecipe) -> Role:
    """What a ticket is in P2.

    >>> role(TicketRecipe()), role(TicketRecipe(weights="trained")), role(TicketRecipe(search="random"))
    ('iterative', 'trained', 'random')
    >>> role(TicketRecipe(shuffled=True, weights="redrawn")), role(TicketRecipe(weights="redrawn"))
    ('shuffled', 'redrawn')
    """
    if said.search == "random":
        return "random"
    if said.shuffled:
        return "shuffled"
    if said.weights == "redrawn":
        return "redrawn"
    if said.weights == "trained":
        return "trained" if said.search == "iterative" else "trained at once"
    return "iterative" if said.search == "iterative" else "one-shot"


def ticket_in_words(said: TicketRecipe, score: str = "magnitude") -> str:
    """A line about a ticket: where its masks come from, and what is trained under them.

    >>> ticket_in_words(TicketRecipe())
    'pruned level by level by magnitude, each level trained to the end; weights rewound to k'
    >>> ticket_in_words(TicketRecipe(shuffled=True, weights="redrawn"))
    'masks of iterative pruning by magnitude, shuffled within each layer; initial weights drawn anew'
    """
    if said.search == "random":
        masks = "which weights stay is drawn at random over the whole network"
    elif said.search == "one_shot":
        masks = f"pruned at once by {score}, at the end of the dense run"
    elif said.is_chain:
        masks = f"pruned level by level by {score}, each level trained to the end"
    else:
        masks = f"masks of iterative pruning by {score}"
    shuffled = ", shuffled within each layer" if said.shuffled else ""
    return f"{masks}{shuffled}; {_WEIGHTS[said.weights]}"
