# Hits lie in the stream until the function `consume` has settled them.

resource "aws_kinesis_stream" "hits" {
  name             = "${var.name}-hits"
  shard_count      = var.terms.shards
  retention_period = var.terms.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"

  stream_mode_details {
    stream_mode = "PROVISIONED"
  }
}

resource "aws_lambda_event_source_mapping" "consumed" {
  event_source_arn                   = aws_kinesis_stream.hits.arn
  function_name                      = aws_lambda_function.function["consume"].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.terms.consume.batch
  maximum_batching_window_in_seconds = var.terms.consume.window
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = var.terms.consume.retries
  maximum_record_age_in_seconds      = var.terms.consume.age
  function_response_types            = ["ReportBatchItemFailures"]
  depends_on                         = [aws_iam_role_policy.function]

  destination_config {
    on_failure {
      destination_arn = aws_s3_bucket.bucket["failed"].arn
    }
  }

  metrics_config {
    metrics = ["EventCount"]
  }
}
