//! O relatório para programas: cada documento é uma estrutura, e as chaves são os campos dela, na ordem. Diz os
//! mesmos fatos que a página; não julga nem mede.
//!
//! # O JSON
//!
//! Estável: uma chave pode ser acrescentada, e nunca muda de sentido sem que `formato` mude. Os tempos
//! terminam em `_s` e são segundos; os instantes contam do começo da simulação. O que não houve é
//! `null`.
//!
//! | chave | o que é |
//! |---|---|
//! | `formato` | a versão deste formato: 2 |
//! | `comando` | o comando que repete as mesmas decisões |
//! | `parametros` | `servidor` (vários, se separados por vírgula), `usuarios`, `threads`, `ciclos`, `decisao_s`, `escuta_s` (as faixas com `de` e `ate`), `acelerar`, `rampa_s`, `reconectar`, `pedidos`, `fim_de_linha`, `estoque`, `semente`, `etapas`. No laço aberto (`--taxa`, `--rampa` em etapas), `etapas` tem a `duracao_s` e a `taxa_por_s` de cada uma, e `ciclos`, `decisao_s`, `escuta_s` e `rampa_s` são `null`; no fechado, `etapas` é `null` |
//! | `resumo` | os números de [`Resumo`]: contas, `falhas` por motivo, `latencias` das respostas que se entendem, de `consultar` e `comprar` (`amostras`, `p50_s`, `p90_s`, `p99_s`, `p999_s`, `maximo_s`); `de_outro_modo` e `sem_resposta`, cada um com `consultar` e `comprar`, e o primeiro também com a `primeira` dessas respostas; `fora_de_alcance`, do mesmo modo, são os pedidos que ouviram que o estoque dividido entre servidores não está ao alcance; `servidores` tem o que houve em cada um (`servidor`, `conexoes`, `quedas`, `consultas`, `vendas`, `recusas`, `fora_de_alcance`, `sem_resposta`, `avisos`); `pedidos`, se as compras se numeraram: `ids`, `insistidos` (perguntados de novo até haver resposta), `repetidos` (de novo, de propósito); `duracao_s` não conta a `espera_do_aviso_s`. No laço aberto, `latencias` contam da hora marcada de cada chegada, `latencias_do_envio` são as mesmas desde o envio, e `chegadas` diz quando começaram (`comecaram_s`, de que as etapas contam), quantas foram (`marcadas`, `enviadas`, `esperaram_usuario`, `maior_espera_s`), quanto o próprio cliente se atrasou (`atraso_do_cliente_p99_s`) e, se a taxa oferecida não foi alcançada, por quanto tempo a fila não se esvaziou (`fila_cheia_s`); no fechado, as duas são `null` |
//! | `vereditos` | `estoque` e `aviso`, cada um com `veredito` e `texto`. O do estoque é `consistente`, `inconsistente` ou `sem-veredito`; o do AVISO, `certo`, `adiantado`, `atrasado`, `repetido`, `a-quem-chegou-depois`, `faltou` ou `nao-julgado` |
//! | `consistente` | o estoque: `true`, `false`, ou `null` se nada se viu por que julgá-lo (no formato 1, também o AVISO) |
//! | `contradicoes` | quantas são, do estoque e do AVISO |
//! | `violacoes` | as primeiras 100: `regra` (um nome de [`Regra`](crate::auditoria::regra::Regra)), `quando_s`, `texto`, e `provas`, cada uma com `usuario`, `servidor`, `pedido`, `ouvido`, `valor`, `enviada_s` (`null` no AVISO) e `chegou_s` |
//! | `observacoes` | textos |
//! | `exigencias` | `texto`, `medido` e `cumprida` de cada `--exigir` |
//! | `vendas` | cada uma, na ordem em que o estoque desceu: `instante_s` (o primeiro em que pode ter acontecido), `chegou_s` (a resposta), `restante` e `servidor` |
//! | `avisos_s` | quando chegou cada AVISO, em ordem |
//! | `vazao` | `largura_s` de cada fatia de tempo, e as `respostas` em cada uma |

use std::time::Duration;

use serde::Serialize;

use super::graficos::Venda;
use super::relato::Relatorio;
use crate::auditoria::regra::Aviso;
use crate::auditoria::veredito::Estoque;
use crate::auditoria::violacao::{Leitura, Origem, Violacao};
use crate::exigencia::Conferida;
use crate::historia::medidas::Vazao;
use crate::historia::resumo::{Resumo, avisos};
use crate::opcoes::carga::Etapa;
use crate::opcoes::{Faixa, Opcoes};

/// Quantas contradições vão no documento.
const VIOLACOES: usize = 100;

#[derive(Serialize)]
struct Documento<'a> {
    formato: u32,
    comando: &'a str,
    parametros: Parametros<'a>,
    resumo: &'a Resumo,
    vereditos: Vereditos<Estoque, Aviso>,
    consistente: Option<bool>,
    contradicoes: usize,
    violacoes: Vec<Contradicao>,
    observacoes: &'a [String],
    exigencias: &'a [Conferida],
    vendas: Vec<Unidade<'a>>,
    avisos_s: Vec<f64>,
    vazao: &'a Vazao,
}

#[derive(Serialize)]
struct Parametros<'a> {
    servidor: String,
    usuarios: usize,
    threads: usize,
    ciclos: Option<Faixa<u32>>,
    decisao_s: Option<Faixa<f64>>,
    escuta_s: Option<Faixa<f64>>,
    acelerar: f64,
    rampa_s: Option<f64>,
    reconectar: bool,
    pedidos: bool,
    fim_de_linha: &'static str,
    estoque: Option<u64>,
    semente: u64,
    etapas: Option<&'a [Etapa]>,
}

#[derive(Serialize)]
struct Unidade<'a> {
    instante_s: f64,
    chegou_s: f64,
    restante: Inteiro,
    servidor: Option<&'a str>,
}

/// O que se conclui do estoque e do AVISO.
#[derive(Debug, Serialize)]
pub struct Vereditos<E, A> {
    /// Do estoque.
    pub estoque: Conclusao<E>,
    /// Do AVISO.
    pub aviso: Conclusao<A>,
}

/// Um veredito, e por quê.
#[derive(Debug, Serialize)]
pub struct Conclusao<V> {
    /// O nome dele.
    pub veredito: V,
    /// Em uma frase.
    pub texto: String,
}

/// Uma contradição, com as provas.
#[derive(Debug, Serialize)]
pub struct Contradicao {
    regra: &'static str,
    quando_s: f64,
    texto: String,
    provas: Vec<Prova>,
}

#[derive(Debug, Serialize)]
struct Prova {
    usuario: usize,
    /// Na avaliação há um só, e não se diz.
    #[serde(skip_serializing_if = "Option::is_none")]
    servidor: Option<String>,
    pedido: Option<&'static str>,
    ouvido: String,
    valor: Option<Inteiro>,
    enviada_s: Option<f64>,
    chegou_s: f64,
}

/// Um servidor errado pode dizer um número que o JSON não garante: vai como texto.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Inteiro {
    Numero(i64),
    Texto(String),
}

impl From<i128> for Inteiro {
    fn from(valor: i128) -> Self {
        i64::try_from(valor).map_or_else(|_| Inteiro::Texto(valor.to_string()), Inteiro::Numero)
    }
}

impl Relatorio<'_> {
    /// O documento JSON.
    pub fn json(&self) -> String {
        let Relatorio { simulacao, veredito, .. } = self;
        let servidores = &simulacao.servidores;
        let contradicao = |violacao| Contradicao::de(violacao, servidores);
        em_texto(&Documento {
            formato: 2,
            comando: self.comando,
            parametros: self.parametros_em_json(),
            resumo: self.resumo,
            vereditos: Vereditos {
                estoque: Conclusao {
                    veredito: veredito.estoque(),
                    texto: veredito.frase_do_estoque(),
                },
                aviso: Conclusao { veredito: veredito.aviso(), texto: veredito.frase_do_aviso() },
            },
            consistente: match veredito.estoque() {
                Estoque::Consistente => Some(true),
                Estoque::Inconsistente => Some(false),
                Estoque::SemVeredito => None,
            },
            contradicoes: veredito.violacoes.len(),
            violacoes: veredito.violacoes.iter().take(VIOLACOES).map(contradicao).collect(),
            observacoes: &veredito.observacoes,
            exigencias: self.exigencias,
            vendas: self.dados.vendas.iter().map(|venda| Unidade::de(venda, servidores)).collect(),
            avisos_s: avisos(&simulacao.historias).iter().map(Duration::as_secs_f64).collect(),
            vazao: &simulacao.medidas.vazao,
        })
    }

    fn parametros_em_json(&self) -> Parametros<'_> {
        let Opcoes { usuarios, threads, ciclos, decisao, escuta, .. } = self.opcoes;
        let em_segundos = |faixa: &Faixa<Duration>| Faixa {
            de: faixa.de.as_secs_f64(),
            ate: faixa.ate.as_secs_f64(),
        };
        let etapas = self.opcoes.carga.etapas();
        let fechado = etapas.is_none();
        Parametros {
            servidor: self.opcoes.servidor(),
            usuarios: *usuarios,
            threads: threads.unwrap_or(*usuarios),
            ciclos: fechado.then_some(*ciclos),
            decisao_s: fechado.then(|| em_segundos(decisao)),
            escuta_s: fechado.then(|| em_segundos(escuta)),
            acelerar: self.opcoes.acelerar,
            rampa_s: fechado.then(|| self.opcoes.carga.rampa().as_secs_f64()),
            reconectar: self.opcoes.reconectar,
            pedidos: self.opcoes.pedidos,
            fim_de_linha: self.simulacao.fim_de_linha.nome(),
            estoque: self.opcoes.estoque,
            semente: self.resumo.semente,
            etapas,
        }
    }
}

impl<'a> Unidade<'a> {
    fn de(venda: &Venda, servidores: &'a [String]) -> Self {
        Unidade {
            instante_s: venda.instante.as_secs_f64(),
            chegou_s: venda.chegou.as_secs_f64(),
            restante: venda.restante.into(),
            servidor: servidores.get(venda.servidor.indice()).map(String::as_str),
        }
    }
}

impl Contradicao {
    /// A que `violacao` diz, com o nome de cada servidor, se há `servidores`.
    pub fn de(violacao: &Violacao, servidores: &[String]) -> Self {
        Contradicao {
            regra: violacao.regra.nome(),
            quando_s: violacao.quando.as_secs_f64(),
            texto: violacao.to_string(),
            provas: violacao.provas.iter().map(|prova| Prova::de(prova, servidores)).collect(),
        }
    }
}

impl Prova {
    fn de(leitura: &Leitura, servidores: &[String]) -> Self {
        let Leitura { usuario, servidor, inicio, fim, origem, valor } = *leitura;
        Prova {
            usuario,
            servidor: servidores.get(servidor.indice()).cloned(),
            pedido: Some(leitura.pedido()).filter(|pedido| !pedido.is_empty()),
            ouvido: leitura.ouvido(),
            valor: (origem != Origem::Silencio).then(|| valor.into()),
            enviada_s: (origem != Origem::Aviso).then_some(inicio.as_secs_f64()),
            chegou_s: fim.as_secs_f64(),
        }
    }
}

/// O documento como se escreve, com uma chave por linha.
pub fn em_texto(documento: &impl Serialize) -> String {
    // Só falharia com uma chave que não é texto; e escrever em uma String não falha.
    serde_json::to_string_pretty(documento).unwrap_or_default() + "\n"
}
