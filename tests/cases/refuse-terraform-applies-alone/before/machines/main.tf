resource "kubernetes_manifest" "flux" {
  for_each = { for i, d in split("---", file("${path.module}/flux.yaml")) : i => d }
  manifest = yamldecode(each.value)
}
