"""What Camtrap DP 1.0.2 requires: table schemas for frictionless, and a JSON Schema of the descriptor.

Stated from the published profile and from the schemas that it refers to (Data Package 1, GeoJSON). No package of pip or
npm has these files, and a test fetches nothing. Stricter in two places: `exifData` must be a JSON object, where the
published table accepts any text, and rings of the spatial extent must be closed.
"""

from pathlib import Path
from typing import Any

import jsonschema
from frictionless import Package, Resource, Schema

_TIME = {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z"}
_BOX = {"type": "number", "constraints": {"minimum": 0, "maximum": 1}}
_SIZE = {"type": "number", "constraints": {"minimum": 1e-15, "maximum": 1}}
_VERSION = r"^https://.*/tdwg/camtrap-dp/1\.0\.2/"


def _choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "constraints": {"enum": list(values)}}


def _required(field: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**field, "constraints": {**field.get("constraints", {}), "required": True, **more}}


def _number(low: float, high: float | None = None, kind: str = "number") -> dict[str, Any]:
    return {"type": kind, "constraints": {"minimum": low, **({} if high is None else {"maximum": high})}}


_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}

FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    "deployments": {
        "deploymentID": _required(_TEXT, unique=True),
        "locationID": _TEXT,
        "locationName": _TEXT,
        "latitude": _required(_number(-90, 90)),
        "longitude": _required(_number(-180, 180)),
        "coordinateUncertainty": _number(1, kind="integer"),
        "deploymentStart": _required(_TIME),
        "deploymentEnd": _required(_TIME),
        "setupBy": _TEXT,
        "cameraID": _TEXT,
        "cameraModel": _TEXT,
        "cameraDelay": _number(0, kind="integer"),
        "cameraHeight": _number(0),
        "cameraDepth": _number(0),
        "cameraTilt": _number(-90, 90, "integer"),
        "cameraHeading": _number(0, 360, "integer"),
        "detectionDistance": _number(0),
        "timestampIssues": _FLAG,
        "baitUse": _FLAG,
        "featureType": _TEXT,
        "habitat": _TEXT,
        "deploymentGroups": _TEXT,
        "deploymentTags": _TEXT,
        "deploymentComments": _TEXT,
    },
    "media": {
        "mediaID": _required(_TEXT, unique=True),
        "deploymentID": _required(_TEXT),
        "captureMethod": _choice("activityDetection", "timeLapse"),
        "timestamp": _required(_TIME),
        "filePath": _required(_TEXT, pattern=r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"),
        "filePublic": _required(_FLAG),
        "fileName": _TEXT,
        "fileMediatype": _required(_TEXT, pattern=r"^(image|video|audio)/.*$"),
        "exifData": {"type": "object"},
        "favorite": _FLAG,
        "mediaComments": _TEXT,
    },
    "observations": {
        "observationID": _required(_TEXT, unique=True),
        "deploymentID": _required(_TEXT),
        "mediaID": _TEXT,
        "eventID": _TEXT,
        "eventStart": _required(_TIME),
        "eventEnd": _required(_TIME),
        "observationLevel": _required(_choice("media", "event")),
        "observationType": _required(_choice("animal", "human", "vehicle", "blank", "unknown", "unclassified")),
        "cameraSetupType": _choice("setup", "calibration"),
        "scientificName": _TEXT,
        "count": _number(1, kind="integer"),
        "lifeStage": _choice("adult", "subadult", "juvenile"),
        "sex": _choice("female", "male"),
        "behavior": _TEXT,
        "individualID": _TEXT,
        "individualPositionRadius": _number(0),
        "individualPositionAngle": _number(-90, 90),
        "individualSpeed": _number(0),
        "bboxX": _BOX,
        "bboxY": _BOX,
        "bboxWidth": _SIZE,
        "bboxHeight": _SIZE,
        "classificationMethod": _choice("human", "machine"),
        "classifiedBy": _TEXT,
        "classificationTimestamp": _TIME,
        "classificationProbability": _number(0, 1),
        "observationTags": _TEXT,
        "observationComments": _TEXT,
    },
}
_KEYS = {
    "media": [("deploymentID", "deployments")],
    "observations": [("deploymentID", "deployments"), ("mediaID", "media")],
}

_URI = {"type": "string", "format": "uri", "pattern": "^[a-z][a-z0-9+.-]*:"}
_TABLE = {
    "required": ["name", "path", "profile", "schema"],
    "properties": {
        "name": {"enum": ["deployments", "media", "observations"]},
        "profile": {"const": "tabular-data-resource"},
        "schema": {"type": "string", "pattern": _VERSION},
    },
}
_OTHER_RESOURCE = {
    "required": ["name"],
    "anyOf": [{"required": ["path"]}, {"required": ["data"]}],
    "properties": {"name": {"not": {"enum": ["deployments", "media", "observations"]}}},
}
_PERSON_OR_SOURCE: dict[str, Any] = {
    "type": "object",
    "required": ["title"],
    "properties": {"title": _TEXT, "path": _TEXT, "email": {"type": "string", "format": "email"}},
}
_POSITION = {
    "type": "array",
    "minItems": 2,
    "prefixItems": [{"type": "number", "minimum": -180, "maximum": 180}, {"minimum": -90, "maximum": 90}],
    "items": {"type": "number"},
}

DESCRIPTOR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["resources", "profile", "created", "contributors", "project", "spatial", "temporal", "taxonomic"],
    "properties": {
        "resources": {
            "type": "array",
            "minItems": 3,
            "uniqueItems": True,
            "items": {"oneOf": [_TABLE, _OTHER_RESOURCE]},
            "allOf": [{"contains": {"properties": {"name": {"const": each}}}} for each in FIELDS],
        },
        "profile": {"type": "string", "pattern": _VERSION},
        "name": {"type": "string", "pattern": "^([-a-z0-9._/])+$"},
        # The checker of `date-time` is an optional part of jsonschema.
        "created": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"},
        "title": {"type": "string", "minLength": 1},
        "contributors": {
            "type": "array",
            "minItems": 1,
            "items": {
                **_PERSON_OR_SOURCE,
                "properties": {
                    **_PERSON_OR_SOURCE["properties"],
                    "organization": _TEXT,
                    "role": {"enum": ["contact", "principalInvestigator", "rightsHolder", "publisher", "contributor"]},
                },
            },
        },
        "sources": {
            "type": "array",
            "items": {
                **_PERSON_OR_SOURCE,
                "properties": {**_PERSON_OR_SOURCE["properties"], "version": _TEXT},
            },
        },
        "licenses": {
            "type": "array",
            "minItems": 2,
            "items": {
                "required": ["scope"],
                "anyOf": [{"required": ["name"]}, {"required": ["path"]}],
                "properties": {"scope": {"enum": ["data", "media"]}, "name": {"pattern": "^([-a-zA-Z0-9._])+$"}},
            },
        },
        "description": _TEXT,
        "keywords": {"type": "array", "minItems": 1, "items": _TEXT},
        "homepage": _URI,
        "bibliographicCitation": _TEXT,
        "references": {"type": "array", "items": _TEXT},
        "relatedIdentifiers": {
            "type": "array",
            "items": {"required": ["relationType", "relatedIdentifier", "relatedIdentifierType"]},
        },
        "coordinatePrecision": {"type": "number"},
        "project": {
            "required": ["title", "samplingDesign", "captureMethod", "individualAnimals", "observationLevel"],
            "properties": {
                **dict.fromkeys(("id", "title", "acronym", "description"), _TEXT),
                "path": _URI,
                "samplingDesign": {
                    "enum": [
                        *("simpleRandom", "systematicRandom", "clusteredRandom"),
                        *("experimental", "targeted", "opportunistic"),
                    ]
                },
                "captureMethod": {
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": True,
                    "items": {"enum": ["activityDetection", "timeLapse"]},
                },
                "individualAnimals": {"type": "boolean"},
                "observationLevel": {"type": "array", "items": {"enum": ["media", "event"]}},
            },
        },
        "spatial": {
            "type": "object",
            "required": ["type", "coordinates"],
            "properties": {
                "type": {"const": "Polygon"},
                "coordinates": {"minItems": 1, "items": {"minItems": 4, "items": _POSITION}},
            },
        },
        "temporal": {
            "required": ["start", "end"],
            "properties": {name: {"type": "string", "format": "date"} for name in ("start", "end")},
        },
        "taxonomic": {
            "type": "array",
            "items": {
                "required": ["scientificName"],
                "properties": {
                    "taxonRank": {
                        "enum": ["kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies"]
                    },
                    **dict.fromkeys(("taxonID", "kingdom", "phylum", "class", "order", "family", "genus"), _TEXT),
                    "vernacularNames": {"patternProperties": {"^[a-z]{3}$": _TEXT}, "additionalProperties": False},
                },
            },
        },
    },
}


def descriptor_errors(descriptor: dict[str, Any]) -> list[str]:
    """What the profile says against a descriptor."""
    validator = jsonschema.Draft202012Validator(DESCRIPTOR_SCHEMA, format_checker=jsonschema.FormatChecker())
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(descriptor)]
    rings = descriptor.get("spatial", {}).get("coordinates", [])
    return found + [f"$.spatial: the ring {ring} is not closed" for ring in rings if ring[0] != ring[-1]]


def frictionless_errors(folder: Path) -> list[str]:
    """What frictionless says against the tables, keys between them included."""
    resources = []
    for name, fields in FIELDS.items():
        schema = {
            "fields": [{"name": field, **content} for field, content in fields.items()],
            "primaryKey": [next(iter(fields))],
            "foreignKeys": [
                {"fields": [column], "reference": {"resource": other, "fields": [column]}}
                for column, other in _KEYS.get(name, ())
            ],
        }
        resources.append(Resource(name=name, path=f"{name}.csv", schema=Schema.from_descriptor(schema)))
    report = Package(resources=resources, basepath=str(folder)).validate()
    return [str(error) for error in report.flatten(["type", "message"])] + [str(error) for error in report.errors]
