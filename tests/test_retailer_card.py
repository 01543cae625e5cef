"""The descriptor, the Croissant export, the data card and the page: all from the one dictionary, and true to it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cimlab.retailer import card, page
from cimlab.retailer.dictionary import MEDIA_TYPES, describe_package
from cimlab.retailer.draws import read_settings

DICTIONARY = read_settings("dictionary")
ENDS = {"csv": "csv", "jsonl": "jsonl", "notes": "txt", "xlsx": "xlsx"}
HASH = f"sha256:{'0' * 64}"


def make_descriptor(section="tables", form="files"):
    """Return the descriptor of an edition that nobody wrote."""
    infos = []
    for number, (table, specification) in enumerate(DICTIONARY[section].items()):
        kind = "parquet" if form == "parquet" else specification.get("form", "csv")
        path = specification.get("file", f"{table}.{ENDS.get(kind)}")
        info = {"table": table, "path": path, "rows": 1000 + number, "bytes": 10, "hash": HASH, "format": kind}
        if kind == "parquet":
            info["path"] = [f"{table}/part-{part:05d}.parquet" for part in range(2)]
        if kind == "jsonl":
            info["paths"] = {column: f"outer.{column}" for column in specification["columns"]}
        infos.append(info)
    name = "xudong" if section == "tables" else "xudong-truth"
    return describe_package(name, infos, seed=7, customers=3000, level="heavy", form=form)


def resource_of(descriptor, name):
    return next(resource for resource in descriptor["resources"] if resource["name"] == name)


@pytest.fixture(scope="module")
def descriptor():
    return make_descriptor()


# --- the descriptor --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["tables", "truth"])
@pytest.mark.parametrize("form", ["files", "parquet"])
def test_the_descriptor_is_a_valid_data_package(section, form):
    from frictionless import Package

    made = make_descriptor(section, form)
    package = Package.from_descriptor(json.loads(json.dumps(made)))
    assert package.resource_names == list(DICTIONARY[section])
    for resource in package.resources:
        assert not list(resource.schema.metadata_validate(resource.schema.to_descriptor()))


def test_the_package_says_what_it_was_made_from(descriptor):
    expected = {"name": "xudong", "seed": 7, "customers": 3000, "level": "heavy", "form": "files"}
    assert {key: descriptor[key] for key in expected} == expected
    assert descriptor["referenceDate"] == "2026-06-30"
    assert descriptor["licenses"][0]["name"] == "CC-BY-4.0"
    assert make_descriptor("truth")["title"].endswith(": the truth")


def test_every_column_of_the_dictionary_is_described(descriptor):
    for name, specification in DICTIONARY["tables"].items():
        fields = resource_of(descriptor, name)["schema"]["fields"]
        assert {f["name"]: [f["type"], f["unit"], f["personalData"], f["description"]] for f in fields} == {
            column: facts[:4] for column, facts in specification["columns"].items()
        }
        assert [field.get("constraints", {}) for field in fields] == [
            facts[4] if len(facts) > 4 else {} for facts in specification["columns"].values()
        ]
        assert all(("format" in field) == (field["type"] in ("date", "datetime")) for field in fields)


def test_a_resource_says_where_it_belongs_and_how_its_file_is_read(descriptor):
    bought = resource_of(descriptor, "bought_list")
    assert (bought["group"], bought["channel"], bought["structure"]) == ("external", "bought", "structured")
    assert (bought["encoding"], bought["dialect"]["delimiter"]) == ("gb18030", ";")
    assert bought["header"] == DICTIONARY["tables"]["bought_list"]["header"]
    assert resource_of(descriptor, "business_register")["mediatype"] == "text/tab-separated-values"
    assert resource_of(descriptor, "web_events")["paths"]["device"] == "outer.device"
    assert resource_of(descriptor, "exhibition")["sheet"] == "fair"
    assert "header" not in resource_of(make_descriptor(form="parquet"), "bought_list")
    assert "encoding" not in resource_of(make_descriptor(form="parquet"), "bought_list")


def test_keys_point_at_the_key_of_the_other_table(descriptor):
    schema = resource_of(descriptor, "order_lines")["schema"]
    assert schema["primaryKey"] == ["order_id", "line_no"]
    assert {key["fields"]: key["reference"] for key in schema["foreignKeys"]} == {
        "order_id": {"resource": "orders", "fields": "order_id"},
        "product_id": {"resource": "products", "fields": "product_id"},
    }


def test_the_resources_stand_in_the_order_of_the_dictionary():
    info = {"rows": 1, "bytes": 1, "hash": None, "format": "csv"}
    infos = [{"table": table, "path": f"{table}.csv", **info} for table in ("orders", "stores")]
    made = describe_package("xudong", infos, seed=1, customers=1, level="clean", form="files")
    assert [resource["name"] for resource in made["resources"]] == ["stores", "orders"]
    assert all("hash" not in resource for resource in made["resources"])


def test_a_table_that_is_not_in_the_dictionary_is_refused():
    with pytest.raises(ValueError, match="no table 'horses'"):
        describe_package("xudong", [{"table": "horses"}], seed=1, customers=1, level="clean", form="files")


# --- Croissant -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_croissant_has_what_the_specification_asks_for(form):
    made = card.write_croissant(make_descriptor(form=form))
    # the required properties of a data set, section "Dataset-level information" of the specification
    required = {"@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished"}
    assert required <= set(made)
    assert (made["@type"], made["conformsTo"]) == ("sc:Dataset", "http://mlcommons.org/croissant/1.0")
    context = made["@context"]
    assert (context["conformsTo"], context["recordSet"]) == ("dct:conformsTo", "cr:recordSet")
    assert {"cr", "sc", "dct"} <= set(context)
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_croissant_ids_are_unique_and_every_reference_has_its_goal(form):
    made = card.write_croissant(make_descriptor(form=form))
    nodes = [*made["distribution"], *made["recordSet"]]
    nodes += [field for records in made["recordSet"] for field in records["field"]]
    ids = [node["@id"] for node in nodes]
    assert len(ids) == len(set(ids))
    text = json.dumps(made["recordSet"])
    # an object that holds nothing but an @id is a reference
    assert set(re.findall(r'\{"@id": "([^"]+)"\}', text)) <= set(ids)


def test_croissant_describes_files_fields_and_keys(descriptor):
    made = card.write_croissant(descriptor)
    orders = next(node for node in made["distribution"] if node["@id"] == "orders.csv")
    assert orders["@type"] == "cr:FileObject"
    assert (orders["contentUrl"], orders["sha256"], orders["contentSize"]) == ("orders.csv", "0" * 64, "10 B")
    records = {node["@id"]: node for node in made["recordSet"]}
    assert records["order_lines"]["key"] == [{"@id": "order_lines/order_id"}, {"@id": "order_lines/line_no"}]
    fields = {field["@id"]: field for node in records.values() for field in node["field"]}
    assert fields["order_lines/order_id"]["references"] == {"field": {"@id": "orders/order_id"}}
    # the reference reader cannot join what is no table
    assert "references" not in fields["web_events/product_id"]
    assert "references" not in fields["tickets/call_id"]
    assert fields["orders/ordered_at"]["source"]["format"] == "yyyy-MM-dd HH:mm"
    device = fields["web_events/device"]["source"]
    assert (device["extract"], device["transform"]) == ({"column": "outer"}, {"jsonPath": "device"})
    assert fields["bought_list/name"]["source"]["extract"] == {"column": "姓名"}
    kinds = {fields[name]["dataType"] for name in fields}
    assert kinds == {"sc:Text", "sc:Integer", "sc:Float", "sc:Date", "sc:DateTime", "sc:Boolean"}


def test_croissant_of_a_table_in_parts_is_a_file_set():
    made = card.write_croissant(make_descriptor(form="parquet"))
    orders = next(node for node in made["distribution"] if node["@id"] == "orders-files")
    assert orders["@type"] == "cr:FileSet"
    assert (orders["includes"], orders["encodingFormat"]) == (["orders/*.parquet"], MEDIA_TYPES["parquet"])


# --- the card --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_the_card_names_every_table_and_column_and_warns(form):
    made = make_descriptor(form=form)
    text = card.write_card(made)
    assert "Never call these numbers" in text
    assert "CC BY 4.0" in text
    for resource in made["resources"]:
        section = text.split(f"### {resource['name']}\n")[1].split("\n### ")[0]
        for field in resource["schema"]["fields"]:
            assert f"| `{field['name']}` |" in section
        assert f"{resource['rows']:,} rows" in section


def test_the_card_shows_values_keys_and_links(descriptor):
    text = card.write_card(descriptor)
    assert "Where it was bought (till, web, call) |" in text
    assert "Order of the line → `orders` · key |" in text
    # a bar within a cell would end it
    assert "joined by \\| |" in card.write_card(make_descriptor("truth"), truth=True)


def test_the_card_says_what_is_invented_what_is_wrong_and_where_numbers_come_from(descriptor):
    text = card.write_card(descriptor)
    for words in ("1740[0-5]xxxxxx", "1349xxxxxxx", "example.com", "begins with 99", "Level: heavy"):
        assert words in text
    for section in ("Files", "What is invented", "What is wrong with the data, on purpose", "Levels", "Columns"):
        assert f"\n## {section}\n" in text
    for used_for, _ in read_settings("parameters")["references"]:
        assert f"**{used_for}**" in text


def test_the_card_says_how_each_odd_file_is_opened(descriptor):
    files = card.list_files(descriptor)
    assert 'pd.read_csv("bought_list.csv", encoding="gb18030", sep=";", dtype=str)' in files
    assert 'pd.read_csv("business_register.tsv", sep="\\t", dtype=str)' in files
    assert 'pd.read_excel("exhibition.xlsx"' in files
    assert "JSON lines" in files
    parquet = card.list_files(make_descriptor(form="parquet"))
    assert "pd.read_parquet" in parquet
    assert "read_csv" not in parquet


def test_every_channel_of_the_dictionary_is_on_the_card(descriptor):
    wrong = card.read_words()["wrong"]
    channels = {
        specification["channel"] for specification in DICTIONARY["tables"].values() if "channel" in specification
    }
    assert channels <= set(re.findall(r"^\| (\w+) \|", wrong, flags=re.MULTILINE))


def test_every_group_of_the_dictionary_is_on_the_card():
    groups = {specification["group"] for specification in DICTIONARY["tables"].values()}
    assert groups == set(card.GROUPS)


def test_the_card_of_the_truth_says_that_it_is_not_for_students():
    text = card.write_card(make_descriptor("truth"), truth=True)
    assert "For tests and instructors only" in text
    assert "What is invented" not in text
    assert "### entity_map\n" in text


# --- the page --------------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """What the tests ask of a page: whether its tags are closed, its anchors, links, and everything it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.fetched, self.cells = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)
        self.ids += [facts["id"]] if "id" in facts else []
        self.links += [facts["href"]] if tag == "a" else []
        self.fetched += [facts[name] for name in ("src", "srcset") if name in facts] + ([tag] if tag == "link" else [])
        self.cells += [facts.get("data-name")] if tag == "td" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_the_page_is_whole_and_fetches_nothing(form):
    text = card.write_page(make_descriptor(form=form))
    outline = Outline(text)
    assert outline.open == []
    assert outline.fetched == []
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp", text)
    assert len(outline.ids) == len(set(outline.ids))
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)
    assert all(outline.cells)
    assert "<!-- " not in text.replace("<!DOCTYPE", "")


def test_the_page_lists_every_table_in_its_contents_and_every_column(descriptor):
    text = card.write_page(descriptor)
    contents = text.split("<nav")[1].split("</nav>")[0]
    for resource in descriptor["resources"]:
        assert f'href="#{resource["name"]}"' in contents
        for field in resource["schema"]["fields"]:
            assert f"<code>{field['name']}</code>" in text


def test_the_page_marks_chinese_as_chinese_and_shows_no_markdown(descriptor):
    text = card.write_page(descriptor)
    assert '<span lang="zh-CN">旭东</span>' in text
    body = re.sub(r"<(style|script)>.*?</\1>|<code>.*?</code>", "", text, flags=re.DOTALL)
    assert not re.search(r"\*\*|\]\(|`|^\|", body, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("a < b & **c**", "a &lt; b &amp; <strong>c</strong>"),
        ("`a * b * c`, *as typed*", "<code>a * b * c</code>, <em>as typed</em>"),
        ("[`x`](#x)", '<a href="#x"><code>x</code></a>'),
        ("1740[0-5]x", "1740[0-5]x"),
        ("a \\| b", "a | b"),
        ("3 × 4 * 5 * 6", "3 × 4 * 5 * 6"),
    ],
)
def test_markdown_becomes_html(markdown, html):
    assert page.style(markdown) == html


def test_the_page_of_the_dictionary_is_in_step():
    """`make pages` writes it from the descriptor of datasets/."""
    root = Path(__file__).parents[1]
    descriptor = json.loads((root / "datasets" / "datapackage.json").read_text(encoding="utf-8"))
    written = (root / "docs" / "retailer_dictionary.html").read_text(encoding="utf-8")
    assert written == card.write_page(descriptor), "run `make pages`"
