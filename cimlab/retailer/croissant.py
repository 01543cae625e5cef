"""The descriptor of an edition as Croissant, the metadata of data sets for machine learning (JSON-LD).

References
----------
MLCommons (2024). Croissant Format Specification, version 1.0. http://mlcommons.org/croissant/1.0
"""

import re
from posixpath import dirname

TYPES = {
    "string": "sc:Text",
    "integer": "sc:Integer",
    "number": "sc:Float",
    "date": "sc:Date",
    "datetime": "sc:DateTime",
    "boolean": "sc:Boolean",
}
# Date patterns of the standard library in the notation that Croissant asks for (CLDR).
PATTERNS = {"%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss", "T": "'T'"}
# Terms of Croissant that need no prefix in the rest of the document: appendix 1 of the specification, completed as in
# the published examples.
PLAIN_TERMS = (
    "citeAs column equivalentProperty extract field fileProperty fileObject fileSet format includes isLiveDataset "
    "jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source "
    "subField transform"
)
CITATION = "@misc{cimlab, author = {{The cimlab authors}}, title = {%s}, year = {%s}}"


def write_croissant(descriptor):
    """Return the Croissant 1.0 description of an edition.

    Parameters
    ----------
    descriptor : dict
        What `describe_package` returns.

    Returns
    -------
    dict
        JSON-LD: a `sc:Dataset` with a FileObject (or, for a table in parts, a FileSet) and a RecordSet for each table.
        Its date of publication is the reference date, its page the data card beside it, so that the same edition has
        the same description everywhere.
    """
    resources = descriptor["resources"]
    # The reference reader of Croissant follows a link when it reads a table, and can do so only from table to table.
    joinable = {resource["name"] for resource in resources if resource["format"] in ("csv", "parquet")}
    return {
        "@context": make_context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": descriptor["name"],
        "description": (
            f"{descriptor['title']}. Nobody in it is real. {descriptor['customers']:,} persons, "
            f"seed {descriptor['seed']}, level {descriptor['level']}."
        ),
        "citeAs": CITATION % (descriptor["title"], descriptor["referenceDate"][:4]),
        "license": [licence["path"] for licence in descriptor["licenses"]],
        "url": "README.md",
        "creator": {"@type": "sc:Organization", "name": "The cimlab authors"},
        "datePublished": descriptor["referenceDate"],
        "version": f"1.0.0+seed.{descriptor['seed']}",
        "keywords": ["synthetic", "retail", "customers", "record linkage", "teaching"],
        "inLanguage": ["zh", "en"],
        "isLiveDataset": False,
        "distribution": [describe_file(resource) for resource in resources],
        "recordSet": [describe_records(resource, joinable) for resource in resources],
    }


def make_context():
    """Return the JSON-LD context of a Croissant document."""
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    } | {term: f"cr:{term}" for term in PLAIN_TERMS.split()}


def file_name(resource):
    """Return the @id of the file or files of a table; that of the records is the table's name."""
    return f"{resource['name']}-files" if isinstance(resource["path"], list) else resource["path"]


def describe_file(resource):
    """Return the FileObject of a table, or the FileSet of one that lies in parts."""
    path = resource["path"]
    found = {"@id": file_name(resource), "encodingFormat": resource["mediatype"]}
    if isinstance(path, list):
        folders = sorted({dirname(part) for part in path})
        patterns = [f"{folder}/*.{resource['format']}".lstrip("/") for folder in folders]
        return {"@type": "cr:FileSet", "name": file_name(resource), **found, "includes": patterns}
    found |= {"@type": "cr:FileObject", "name": path, "contentUrl": path, "contentSize": f"{resource['bytes']} B"}
    if resource.get("hash", "").startswith("sha256:"):
        found["sha256"] = resource["hash"].removeprefix("sha256:")
    return found


def describe_records(resource, joinable):
    """Return the RecordSet of a table; links are told between the tables named in `joinable`."""
    table, schema = resource["name"], resource["schema"]
    keys = schema.get("foreignKeys", []) if table in joinable else []
    links = {key["fields"]: key["reference"] for key in keys if key["reference"]["resource"] in joinable}
    fields = []
    for number, field in enumerate(schema["fields"]):
        description = field["description"] + (f" [{field['unit']}]" if field["unit"] else "")
        found = {
            "@type": "cr:Field",
            "@id": f"{table}/{field['name']}",
            "name": field["name"],
            "description": description,
            "dataType": TYPES[field["type"]],
            "source": describe_source(resource, number, field),
        }
        if field["name"] in links:
            link = links[field["name"]]
            found["references"] = {"field": {"@id": f"{link['resource']}/{link['fields']}"}}
        fields.append(found)
    key = [{"@id": f"{table}/{column}"} for column in schema["primaryKey"]]
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": resource["description"],
        "key": key[0] if len(key) == 1 else key,
        "field": fields,
    }


def describe_source(resource, number, field):
    """Return where the values of a field stand: a column, a place in a column of objects, or the text of the file."""
    source = {"fileSet" if isinstance(resource["path"], list) else "fileObject": {"@id": file_name(resource)}}
    if resource["format"] == "notes":
        # text blocks: Croissant has no word for a record that goes over several lines
        return source | {"extract": {"fileProperty": "content"}}
    column, *inner = resource.get("paths", {}).get(field["name"], field["name"]).split(".")
    source["extract"] = {"column": resource["header"][number] if "header" in resource else column}
    if inner:
        source["transform"] = {"jsonPath": ".".join(inner)}
    if "format" in field and resource["format"] != "parquet":
        source["format"] = re.sub(r"%\w|T", lambda part: PATTERNS[part[0]], field["format"])
    return source
