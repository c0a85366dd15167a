# The tables of the lake for Athena, without a crawler, and a workgroup that bounds what a question may read, with the
# questions as saved queries.

locals {
  saved = jsondecode(file("${path.module}/saved.json"))
}

resource "aws_glue_catalog_database" "lake" {
  name = replace(var.name, "-", "_")
}

resource "aws_glue_catalog_table" "lake" {
  for_each      = var.terms.tables
  name          = each.key
  database_name = aws_glue_catalog_database.lake.name
  table_type    = "EXTERNAL_TABLE"
  parameters    = each.value.parameters

  storage_descriptor {
    location      = "${local.places.PIXELAKE_LAKE}/${each.value.folder}"
    input_format  = each.value.input
    output_format = each.value.output

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name = columns.value.Name
        type = columns.value.Type
      }
    }

    ser_de_info {
      serialization_library = each.value.library

      parameters = {
        "serialization.format" = "1"
        path                   = "${local.places.PIXELAKE_LAKE}/${each.value.folder}"
      }
    }
  }
}

resource "aws_athena_workgroup" "lake" {
  name          = var.name
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.scanned_bytes

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = "s3://${aws_s3_bucket.bucket["lake"].id}/answers/"

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}

resource "aws_athena_named_query" "question" {
  for_each    = local.saved
  name        = each.key
  description = each.value.description
  workgroup   = aws_athena_workgroup.lake.name
  database    = aws_glue_catalog_database.lake.name
  query       = replace(each.value.sql, "FROM lake.", "FROM \"${aws_glue_catalog_database.lake.name}\".")
}
