output "pixel" {
  description = "The address of the pixel."
  value       = "${aws_apigatewayv2_api.api["pixel"].api_endpoint}/pixel.gif"
}

output "dashboard" {
  description = "The dashboard; pixelake users add, with the registry below, makes its first user."
  value       = "${aws_apigatewayv2_api.api["dashboard"].api_endpoint}/"
}

output "registry" {
  description = "For pixelake users add, and any other command."
  value       = local.places.PIXELAKE_REGISTRY
}

output "lake" {
  description = "The lake, for pixelake sql and every engine."
  value       = local.places.PIXELAKE_LAKE
}

output "given_up" {
  description = "What mappings gave up: pixelake aws redrive."
  value       = "s3://${aws_s3_bucket.bucket["failed"].id}/aws/lambda/"
}

output "alarm_topic" {
  description = "Alarms are told here."
  value       = aws_sns_topic.alarms.arn
}
