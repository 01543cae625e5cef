"""The data card: a README for people, made from the descriptor."""


def write_card(descriptor, truth=False):
    """Return the data card of a folder as Markdown."""
    lines = [f"# {descriptor['title']}", ""]
    for resource in descriptor["resources"]:
        lines += [f"## `{resource['name']}`", "", resource["description"], ""]
    return "\n".join(lines)
