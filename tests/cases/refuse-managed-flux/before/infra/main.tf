resource "azurerm_kubernetes_cluster_extension" "flux" {
  name           = "flux"
  extension_type = "microsoft.flux"
}
