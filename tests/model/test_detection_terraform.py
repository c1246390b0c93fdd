"""Terraform read as text: blocks, plain attributes, and nothing evaluated."""

from __future__ import annotations

import pytest
from builders import repo, yaml_text

from flux_handover.model.detection_terraform import Block, blocks, terraform_blocks


def one(text: str) -> Block:
    (block,) = blocks("main.tf", yaml_text(text))
    return block


def test_a_block_has_its_labels_its_line_and_its_address() -> None:
    block = one(
        """
        # Flux
        resource "flux_bootstrap_git" "this" {
          path = "sites/north"
        }
        """
    )

    assert (block.kind, block.type, block.name, block.line) == ("resource", "flux_bootstrap_git", "this", 2)
    assert block.address == "flux_bootstrap_git.this"
    assert str(block.where) == "main.tf:2"
    assert block.literal("path") == "sites/north"
    assert str(block.line_of("path")) == "main.tf:3"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"plain"', "plain"),
        ("true", True),
        ("false # comment", False),
        ("12", 12),
        ('["a", "b"]', ("a", "b")),
        ('[\n    "a",\n    "b",\n  ]', ("a", "b")),
        ("[]", ()),
    ],
)
def test_a_plain_value_is_read(written: str, value: object) -> None:
    (block,) = blocks("main.tf", f'resource "x" "y" {{\n  attribute = {written}\n  next = "n"\n}}\n')

    assert block.literal("attribute") == value
    assert block.literal("next") == "n"


@pytest.mark.parametrize("written", ["var.path", '"sites/${var.site}"', "[var.a]", 'lookup(local.x, "a")'])
def test_an_expression_is_no_value(written: str) -> None:
    (block,) = blocks("main.tf", f'resource "x" "y" {{\n  attribute = {written}\n}}\n')

    assert block.literal("attribute") is None
    assert "attribute" in block.attributes


def test_attributes_of_nested_blocks_are_not_the_blocks_own() -> None:
    block = one(
        """
        resource "x" "y" {
          kubernetes = {
            path = "no"
          }
          nested {
            path = "neither"
          }
          path = "yes"
        }
        """
    )

    assert block.literal("path") == "yes"


def test_braces_in_strings_comments_and_heredocs_do_not_count() -> None:
    text = """
        resource "x" "one" {
          a = "}"  # }
          b = <<-EOT
            } {
          EOT
          /* } */
          c = "last"
        }
        data "x" "two" {
        }
        """
    first, second = blocks("main.tf", yaml_text(text))

    assert first.literal("c") == "last"
    assert (second.kind, second.name) == ("data", "two")


def test_a_block_in_a_comment_is_none() -> None:
    assert list(blocks("main.tf", '/*\nresource "x" "y" {\n}\n*/\n')) == []


def test_a_block_that_never_ends_does_not_hang() -> None:
    (block,) = blocks("main.tf", 'resource "x" "y" {\n  a = "b"\n')

    assert block.literal("a") == "b"


def test_only_terraform_files_are_read() -> None:
    text = 'resource "x" "y" {\n}\n'

    assert [b.path for b in terraform_blocks(repo("a.tf", text, "b.tofu", text, "c.md", text))] == ["a.tf", "b.tofu"]
