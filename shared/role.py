"""The roles: who works on a desk, each with what it does and the ports that it is given."""

from collections.abc import Collection, Mapping

from shared.agents.registry import CANDIDATES, STATES, handlers, promoted
from shared.agents.step import CONSENSUS
from shared.runtime import Role


def roles(deps: Mapping[str, object], votes: Collection[str] = ()) -> dict[str, Role]:
    """Give all agents and candidates, by name.

    Parameters
    ----------
    deps : mapping of str to object
        The ports of each agent; a candidate has those of the agent that it is a version of.
    votes : collection of str
        Candidates that are promoted: the consensus counts them in the place of those agents.

    Raises
    ------
    InvalidError
        A name in `votes` is of no candidate, or two are versions of one agent.
    """
    # Whom a candidate replaces goes on voting, and being graded: only the count knows the difference.
    own = {name: handlers(name) for name in STATES} | {CONSENSUS: handlers(CONSENSUS, promoted(votes))}
    agents = {name: Role(name, state, own[name], deps[name]) for name, state in STATES.items()}
    candidates = {
        name: Role(name, each.state, handlers(name), deps[each.of], candidate_for=each.of)
        for name, each in CANDIDATES.items()
    }
    return agents | candidates
