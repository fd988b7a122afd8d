//! Tudo o que há a relatar de uma simulação. Só guarda: o JSON está em `json`, e a página HTML em `pagina`.

use super::graficos::Dados;
use crate::auditoria::veredito::Veredito;
use crate::exigencia::Conferida;
use crate::historia::conjunto::Simulacao;
use crate::historia::resumo::Resumo;
use crate::opcoes::Opcoes;

/// Tudo o que há a relatar.
#[derive(Debug, Clone, Copy)]
pub struct Relatorio<'a> {
    /// O comando que repete a simulação.
    pub comando: &'a str,
    /// O que se pediu.
    pub opcoes: &'a Opcoes,
    /// O que se viveu.
    pub simulacao: &'a Simulacao,
    /// Os números.
    pub resumo: &'a Resumo,
    /// O veredito.
    pub veredito: &'a Veredito,
    /// As exigências, conferidas.
    pub exigencias: &'a [Conferida],
    /// O que se desenha.
    pub dados: &'a Dados<'a>,
}
