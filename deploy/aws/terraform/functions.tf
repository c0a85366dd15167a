# The functions, each with a log and a role of its own.

locals {
  places = {
    PIXELAKE_LAKE     = "s3://${aws_s3_bucket.bucket["lake"].id}/${trimsuffix(var.terms.lake, "/")}"
    PIXELAKE_REGISTRY = "dynamodb://${aws_dynamodb_table.table.name}"
    PIXELAKE_LIVE     = "dynamodb://${aws_dynamodb_table.table.name}"
  }

  environment = {
    ingest  = { PIXELAKE_STREAM = "kinesis://${aws_kinesis_stream.hits.name}" }
    consume = local.places
    api     = merge(local.places, { PIXELAKE_WEB_HOSTS = local.dashboard_host })
    keep    = local.places
  }

  image = join("", [
    data.aws_caller_identity.here.account_id, ".dkr.ecr.", var.region, ".", data.aws_partition.here.dns_suffix,
    "/", var.image_repository, ":", var.image_tag,
  ])

  arns = {
    table            = aws_dynamodb_table.table.arn
    bucket           = aws_s3_bucket.bucket["lake"].arn
    objects          = aws_s3_bucket.bucket["lake"].arn
    failed           = aws_s3_bucket.bucket["failed"].arn
    "failed-objects" = aws_s3_bucket.bucket["failed"].arn
    goal             = aws_kinesis_stream.hits.arn
    source           = aws_kinesis_stream.hits.arn
  }
}

resource "aws_cloudwatch_log_group" "function" {
  for_each          = var.terms.functions
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_days
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each           = var.terms.functions
  name_prefix        = "${var.name}-${each.key}-"
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

# what each may do, on what, and below which keys; Lambda itself reads the stream in the name of `consume`
data "aws_iam_policy_document" "function" {
  for_each = var.terms.rights

  dynamic "statement" {
    for_each = each.value

    content {
      actions   = statement.value.actions
      resources = ["${merge(local.arns, { log = "${aws_cloudwatch_log_group.function[each.key].arn}:*" })[statement.value.on]}${statement.value.below}"]

      dynamic "condition" {
        for_each = statement.value.listed == "" ? [] : [statement.value.listed]

        content {
          test     = "StringLike"
          variable = "s3:prefix"
          values   = [condition.value]
        }
      }
    }
  }
}

resource "aws_iam_role_policy" "function" {
  for_each = var.terms.functions
  name     = "own"
  role     = aws_iam_role.function[each.key].id
  policy   = data.aws_iam_policy_document.function[each.key].json
}

resource "aws_lambda_function" "function" {
  for_each      = var.terms.functions
  function_name = "${var.name}-${each.key}"
  description   = "pixelake.aws.${each.key}"
  role          = aws_iam_role.function[each.key].arn
  memory_size   = each.value.memory
  timeout       = each.value.timeout
  architectures = [var.architecture]

  package_type = each.value.zip ? "Zip" : "Image"
  runtime      = each.value.zip ? "python3.13" : null
  handler      = each.value.zip ? "pixelake.aws.${each.key}.handler" : null
  s3_bucket    = each.value.zip ? var.code_bucket : null
  s3_key       = each.value.zip ? "${var.code_folder}${each.key}.zip" : null
  image_uri    = each.value.zip ? null : local.image

  dynamic "image_config" {
    for_each = each.value.zip ? [] : [1]

    content {
      command = ["pixelake.aws.${each.key}.handler"]
    }
  }

  environment {
    variables = local.environment[each.key]
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.function[each.key].name
  }

  depends_on = [aws_iam_role_policy.function]
}

resource "aws_cloudwatch_event_rule" "keep" {
  name                = "${var.name}-keep"
  schedule_expression = "rate(${var.terms.keep_every} minutes)"
}

resource "aws_cloudwatch_event_target" "keep" {
  rule = aws_cloudwatch_event_rule.keep.name
  arn  = aws_lambda_function.function["keep"].arn

  retry_policy {
    maximum_retry_attempts       = 0
    maximum_event_age_in_seconds = 86400
  }
}

resource "aws_lambda_permission" "keep" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["keep"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.keep.arn
}
