//! O que se pede ao etcd e o que ele responde, e como isso se escreve no JSON dele (a *gRPC gateway*, `/v3/kv/txn`).
//!
//! Tudo é uma transação: se as comparações valem, faz-se uma coisa, se não, outra. Não conhece a rede, nem sabe
//! o que as chaves querem dizer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

/// Bytes que o JSON do etcd leva em base64.
fn em_base64(texto: &str) -> String {
    STANDARD.encode(texto)
}

fn de_base64<'de, D: serde::Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let codificado = String::deserialize(de)?;
    let bytes = STANDARD.decode(codificado).map_err(serde::de::Error::custom)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// O que tem de ser verdade para a transação valer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condicao {
    /// A chave foi escrita pela última vez nesta revisão; 0, não existe.
    EscritaEm(String, u64),
    /// Nenhuma chave com este prefixo foi escrita depois desta revisão.
    NadaMudouDesde(String, u64),
}

/// O que uma transação faz.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feito {
    /// Escreve uma chave.
    Escrever(String, String),
    /// Lê todas as chaves com um prefixo; em uma revisão passada, se diz qual.
    Ler(String, Option<u64>),
    /// Lê uma chave só.
    LerUma(String),
    /// Lê as primeiras chaves a partir de uma, até outra, em uma revisão.
    Pagina(String, String, u64),
}

/// Quantas chaves tem uma página, no máximo.
pub const CHAVES_POR_PAGINA: usize = 1000;

/// Uma transação.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transacao {
    /// Vale se todas são verdade.
    pub se: Vec<Condicao>,
    /// O que se faz se vale.
    pub entao: Vec<Feito>,
    /// O que se faz se não vale.
    pub senao: Vec<Feito>,
}

/// Uma chave, o valor, e quando foi escrita pela última vez.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Par {
    /// A chave.
    #[serde(rename = "key", deserialize_with = "de_base64")]
    pub chave: String,
    /// O valor; vazio, o etcd não o escreve.
    #[serde(rename = "value", default, deserialize_with = "de_base64")]
    pub valor: String,
    /// A revisão em que foi escrita.
    #[serde(rename = "mod_revision", default, deserialize_with = "numero")]
    pub escrita_em: u64,
}

/// O que o etcd respondeu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resposta {
    /// De que cluster.
    pub cluster: u64,
    /// A revisão do etcd depois dela.
    pub revisao: u64,
    /// As condições eram verdade?
    pub valeu: bool,
    /// Tudo o que se leu.
    pub pares: Vec<Par>,
}

/// Por que não há resposta.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SemResposta {
    /// Não se sabe se a transação valeu: a rede, o tempo, um erro que pode ter vindo depois de ela valer.
    #[error("{0}")]
    Duvida(String),
    /// O etcd passou da quota dele. Di-lo também depois de a transação valer: continua a não se saber.
    #[error("o etcd ficou sem lugar (quota)")]
    SemLugar,
    /// A revisão que se quer ler já não está guardada. Não mudou nada.
    #[error("o passado que se quer ler já foi apagado (compactação)")]
    Compactada,
}

impl SemResposta {
    /// A transação pode ter valido?
    pub fn em_duvida(&self) -> bool {
        *self != SemResposta::Compactada
    }
}

/// Onde acaba um prefixo: a primeira chave depois de todas as que começam por ele.
pub fn fim_do_prefixo(prefixo: &str) -> String {
    let mut fim = prefixo.to_owned();
    if let Some(ultima) = fim.pop() {
        fim.push(char::from(ultima as u8 + 1));
    }
    fim
}

impl Serialize for Condicao {
    fn serialize<S: Serializer>(&self, para: S) -> Result<S::Ok, S::Error> {
        match self {
            Condicao::EscritaEm(chave, revisao) => json!({
                "key": em_base64(chave), "target": "MOD", "result": "EQUAL", "mod_revision": revisao.to_string(),
            }),
            Condicao::NadaMudouDesde(prefixo, revisao) => json!({
                "key": em_base64(prefixo), "range_end": em_base64(&fim_do_prefixo(prefixo)),
                "target": "MOD", "result": "LESS", "mod_revision": (revisao + 1).to_string(),
            }),
        }
        .serialize(para)
    }
}

impl Serialize for Feito {
    fn serialize<S: Serializer>(&self, para: S) -> Result<S::Ok, S::Error> {
        match self {
            Feito::Escrever(chave, valor) => {
                json!({ "requestPut": { "key": em_base64(chave), "value": em_base64(valor) } })
            }
            Feito::Ler(prefixo, revisao) => json!({ "requestRange": {
                "key": em_base64(prefixo), "range_end": em_base64(&fim_do_prefixo(prefixo)),
                "revision": revisao.unwrap_or(0).to_string(),
            } }),
            Feito::LerUma(chave) => json!({ "requestRange": { "key": em_base64(chave) } }),
            Feito::Pagina(de, ate, revisao) => json!({ "requestRange": {
                "key": em_base64(de), "range_end": em_base64(ate),
                "revision": revisao.to_string(), "limit": CHAVES_POR_PAGINA.to_string(),
            } }),
        }
        .serialize(para)
    }
}

impl Transacao {
    /// Só lê, o que há agora.
    pub fn leitura(prefixo: &str) -> Self {
        Transacao { entao: vec![Feito::Ler(prefixo.to_owned(), None)], ..Transacao::default() }
    }

    /// O corpo do pedido.
    pub fn em_json(&self) -> Value {
        json!({ "compare": self.se, "success": self.entao, "failure": self.senao })
    }
}

/// Os inteiros de 64 bits vêm como texto.
fn numero<'de, D: serde::Deserializer<'de>>(de: D) -> Result<u64, D::Error> {
    String::deserialize(de)?.parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize, Default)]
struct Cabecalho {
    #[serde(default, deserialize_with = "numero")]
    cluster_id: u64,
    #[serde(default, deserialize_with = "numero")]
    revision: u64,
}

#[derive(Deserialize)]
struct DaTransacao {
    header: Cabecalho,
    #[serde(default)]
    succeeded: bool,
    #[serde(default)]
    responses: Vec<DeUmFeito>,
}

#[derive(Deserialize)]
struct DeUmFeito {
    response_range: Option<DaLeitura>,
}

#[derive(Deserialize)]
struct DaLeitura {
    #[serde(default)]
    kvs: Vec<Par>,
}

/// O texto está em `error`, e a partir do etcd 3.6 só em `message`.
#[derive(Deserialize, Default)]
struct DoErro {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

/// O que se diz de quem responde outra coisa.
pub const NAO_E_ETCD: &str = "a resposta não é a de um etcd";

/// O que diz o corpo de uma resposta.
///
/// # Errors
///
/// É um erro do etcd, ou não é uma resposta dele.
pub fn ler_resposta(corpo: &str) -> Result<Resposta, SemResposta> {
    if let Ok(lida) = serde_json::from_str::<DaTransacao>(corpo) {
        let lidos = lida.responses.into_iter().filter_map(|feito| feito.response_range);
        return Ok(Resposta {
            cluster: lida.header.cluster_id,
            revisao: lida.header.revision,
            valeu: lida.succeeded,
            pares: lidos.flat_map(|leitura| leitura.kvs).collect(),
        });
    }
    let erro = serde_json::from_str::<DoErro>(corpo).unwrap_or_default();
    let erro = if erro.error.is_empty() { erro.message } else { erro.error };
    Err(match erro.as_str() {
        "" => SemResposta::Duvida(NAO_E_ETCD.into()),
        erro if erro.contains("has been compacted") => SemResposta::Compactada,
        erro if erro.contains("database space exceeded") => SemResposta::SemLugar,
        erro if erro.contains("leader") || erro.contains("timed out") => {
            SemResposta::Duvida("os membros não têm maioria".into())
        }
        erro => SemResposta::Duvida(format!("o etcd diz: {erro}")),
    })
}

/// O que uma observação (`/v3/watch`) diz em uma linha.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observado {
    /// A revisão do etcd.
    pub revisao: u64,
    /// O que mudou, na ordem; sem valor, foi apagada.
    pub mudancas: Vec<Par>,
    /// A observação acabou: é preciso começar outra.
    pub acabou: bool,
}

#[derive(Deserialize)]
struct DaObservacao {
    result: Option<ResultadoDaObservacao>,
}

#[derive(Deserialize)]
struct ResultadoDaObservacao {
    #[serde(default)]
    header: Cabecalho,
    #[serde(default)]
    canceled: bool,
    #[serde(default)]
    events: Vec<UmEvento>,
}

#[derive(Deserialize)]
struct UmEvento {
    kv: Par,
}

/// O pedido que começa uma observação de um prefixo, depois de uma revisão.
pub fn observar(prefixo: &str, depois_de: u64) -> Value {
    json!({ "create_request": {
        "key": em_base64(prefixo), "range_end": em_base64(&fim_do_prefixo(prefixo)),
        "start_revision": (depois_de + 1).to_string(),
    } })
}

/// Uma linha de uma observação; o que não se entende acaba com ela.
pub fn ler_observado(linha: &str) -> Observado {
    match serde_json::from_str::<DaObservacao>(linha) {
        Ok(DaObservacao { result: Some(resultado) }) => Observado {
            revisao: resultado.header.revision,
            mudancas: resultado.events.into_iter().map(|evento| evento.kv).collect(),
            acabou: resultado.canceled,
        },
        _ => Observado { acabou: true, ..Observado::default() },
    }
}
