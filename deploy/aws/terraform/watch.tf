# Whatever loses hits rings.

locals {
  # nothing measured is nothing wrong; `periods` of five minutes in a row
  alarms = {
    table_throttled = {
      namespace = "AWS/DynamoDB", metric = "ThrottledRequests", statistic = "Sum", above = 10, periods = 3
      of        = { TableName = aws_dynamodb_table.table.name }
      says      = "the table throttles: look at its limits"
    }
    hits_refuses = {
      namespace = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", statistic = "Sum", above = 0, periods = 1
      of        = { StreamName = aws_kinesis_stream.hits.name }
      says      = "the stream refuses hits: more shards"
    }
    hits_behind = {
      namespace = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", statistic = "Maximum", above = 900000, periods = 1
      of        = { StreamName = aws_kinesis_stream.hits.name }
      says      = "what reads the stream is behind: see its errors"
    }
    consumed_given_up = {
      namespace = "AWS/Lambda", metric = "OnFailureDestinationDeliveredEventCount", statistic = "Sum", above = 0, periods = 1
      of        = { EventSourceMappingUUID = aws_lambda_event_source_mapping.consumed.uuid }
      says      = "hits were given up: mend the cause, then pixelake aws redrive"
    }
    consumed_dropped = {
      namespace = "AWS/Lambda", metric = "DroppedEventCount", statistic = "Sum", above = 0, periods = 1
      of        = { EventSourceMappingUUID = aws_lambda_event_source_mapping.consumed.uuid }
      says      = "hits were dropped: neither settled nor kept as given up"
    }
    pixel_failed = {
      namespace = "AWS/ApiGateway", metric = "5xx", statistic = "Sum", above = 0, periods = 3
      of        = { ApiId = aws_apigatewayv2_api.api["pixel"].id }
      says      = "answers of 5xx: hits that were not kept, and browsers do not repeat"
    }
    dashboard_failed = {
      namespace = "AWS/ApiGateway", metric = "5xx", statistic = "Sum", above = 0, periods = 3
      of        = { ApiId = aws_apigatewayv2_api.api["dashboard"].id }
      says      = "answers of 5xx: hits that were not kept, and browsers do not repeat"
    }
  }

  graphs = concat(
    [
      { title = "Hits: age", metrics = [
        ["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", aws_kinesis_stream.hits.name, { stat = "Maximum" }],
      ] },
      { title = "Hits: accepted", metrics = [
        ["AWS/Kinesis", "IncomingRecords", "StreamName", aws_kinesis_stream.hits.name, { stat = "Sum" }],
        ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName", aws_kinesis_stream.hits.name, { stat = "Sum" }],
      ] },
      { title = "Consumed: accepted against stored", metrics = [
        ["AWS/Lambda", "PolledEventCount", "EventSourceMappingUUID", local.mapping, { stat = "Sum" }],
        [{ label = "stored", expression = "FILL(invoked, 0) - FILL(failed, 0)" }],
        ["AWS/Lambda", "InvokedEventCount", "EventSourceMappingUUID", local.mapping, { id = "invoked", visible = false, stat = "Sum" }],
        ["AWS/Lambda", "FailedInvokeEventCount", "EventSourceMappingUUID", local.mapping, { id = "failed", visible = false, stat = "Sum" }],
        ["AWS/Lambda", "OnFailureDestinationDeliveredEventCount", "EventSourceMappingUUID", local.mapping, { stat = "Sum" }],
      ] },
    ],
    [for name, made in aws_lambda_function.function : { title = "Function ${name}", metrics = [
      for metric in ["Errors", "Throttles", "Invocations"] :
      ["AWS/Lambda", metric, "FunctionName", made.function_name, { stat = "Sum" }]
    ] }],
    [for name, made in aws_apigatewayv2_api.api : { title = "${title(name)}: statuses", metrics = [
      for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", made.id, { stat = "Sum" }]
    ] }],
    [for name, made in aws_apigatewayv2_api.api : { title = "${title(name)}: latency", metrics = [
      ["AWS/ApiGateway", "Latency", "ApiId", made.id, { stat = "p99" }],
    ] }],
  )

  mapping = aws_lambda_event_source_mapping.consumed.uuid
}

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "AllowPublishThroughSSLOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # a policy of its own replaces the one that lets the account publish
  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each  = var.alarm_email == "" ? toset([]) : toset([var.alarm_email])
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "flow" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${replace(each.key, "_", "-")}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.of
  threshold           = each.value.above
  evaluation_periods  = each.value.periods
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each            = var.terms.functions
  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = "${each.key} fails: its log says why, and what to do"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  statistic           = "Sum"
  dimensions          = { FunctionName = aws_lambda_function.function[each.key].function_name }
  threshold           = 0
  evaluation_periods  = 3
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  for_each            = var.terms.functions
  alarm_name          = "${var.name}-${each.key}-throttles"
  alarm_description   = "${each.key} is throttled: raise the account's concurrency"
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  statistic           = "Sum"
  dimensions          = { FunctionName = aws_lambda_function.function[each.key].function_name }
  threshold           = 0
  evaluation_periods  = 3
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "board" {
  dashboard_name = "${var.name}-${var.region}"

  dashboard_body = jsonencode({
    widgets = [for at, graph in local.graphs : {
      type   = "metric"
      width  = 12
      height = 6
      x      = 12 * (at % 2)
      y      = 6 * floor(at / 2)
      properties = {
        view    = "timeSeries"
        title   = graph.title
        region  = var.region
        metrics = graph.metrics
      }
    }]
  })
}
