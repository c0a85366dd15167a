# What a browser asks: the pixel, as fast as the shards take; and the dashboard, behind its own log-in.

locals {
  apis = {
    pixel = {
      function = "ingest"
      routes   = var.terms.routes
      rate     = var.terms.throttle.rate
      burst    = var.terms.throttle.burst
    }
    dashboard = {
      function = "api"
      routes   = ["ANY /{proxy+}", "ANY /"]
      rate     = var.dashboard_rate
      burst    = var.dashboard_rate
    }
  }

  routes = merge([
    for name, api in local.apis : { for route in api.routes : "${name} ${route}" => { api = name, key = route } }
  ]...)

  dashboard_host = replace(aws_apigatewayv2_api.api["dashboard"].api_endpoint, "https://", "")
}

resource "aws_apigatewayv2_api" "api" {
  for_each      = toset(["pixel", "dashboard"])
  name          = "${var.name}-${each.key}"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "api" {
  for_each               = local.apis
  api_id                 = aws_apigatewayv2_api.api[each.key].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.function[each.value.function].invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "api" {
  for_each           = local.routes
  api_id             = aws_apigatewayv2_api.api[each.value.api].id
  route_key          = each.value.key
  authorization_type = "NONE"
  target             = "integrations/${aws_apigatewayv2_integration.api[each.value.api].id}"
}

resource "aws_apigatewayv2_stage" "api" {
  for_each    = local.apis
  api_id      = aws_apigatewayv2_api.api[each.key].id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    detailed_metrics_enabled = false
    throttling_rate_limit    = each.value.rate
    throttling_burst_limit   = each.value.burst
  }
}

resource "aws_lambda_permission" "api" {
  for_each      = local.apis
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function[each.value.function].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.api[each.key].execution_arn}/*/*/*"
}
