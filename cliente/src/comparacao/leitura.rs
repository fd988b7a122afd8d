//! Um JSON da multidão, lido e conferido: o que não é um, ou é de outra versão, se diz em uma linha. O que há nele
//! está em [`crate::relatorio::json`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use protocolo::terminal::explicar;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::auditoria::regra::Aviso;
use crate::auditoria::veredito::Estoque;

/// O formato que se sabe ler: o que a multidão escreve.
const FORMATO: u64 = 2;

/// Por que um arquivo não serve.
#[derive(Debug, Error)]
pub enum Erro {
    /// O sistema não o deu.
    #[error("não posso ler '{}': {porque}", .caminho.display())]
    Ilegivel {
        /// O arquivo.
        caminho: PathBuf,
        /// O que o sistema disse.
        porque: String,
    },
    /// Não é um JSON, ou não é nosso.
    #[error("'{}' não é um relatório da multidão; escreva um com: cliente --json ARQUIVO", .0.display())]
    Estranho(PathBuf),
    /// É o laudo do avaliador.
    #[error("'{}' é um laudo de 'cliente avaliar'; só se comparam relatórios da multidão (cliente --json ARQUIVO)", .0.display())]
    Laudo(PathBuf),
    /// É de outra versão.
    #[error("'{}' está no formato {formato}, e este programa lê o {FORMATO}; escreva-o de novo com esta versão", .caminho.display())]
    OutraVersao {
        /// O arquivo.
        caminho: PathBuf,
        /// O formato que ele diz ter.
        formato: Value,
    },
    /// Falta alguma coisa, ou não é o que devia.
    #[error("'{}' diz ser um relatório da multidão, mas está incompleto ou foi alterado; escreva-o de novo", .0.display())]
    Incompleto(PathBuf),
}

/// O que se compara de um relatório.
#[derive(Debug, Clone, Deserialize)]
pub struct Documento {
    pub(super) comando: String,
    pub(super) parametros: Map<String, Value>,
    pub(super) resumo: Resumo,
    vereditos: Vereditos,
}

#[derive(Debug, Clone, Deserialize)]
struct Vereditos {
    estoque: Conclusao<Estoque>,
    aviso: Conclusao<Aviso>,
}

#[derive(Debug, Clone, Deserialize)]
struct Conclusao<V> {
    veredito: V,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Resumo {
    pub(super) consultas: u64,
    pub(super) vendas: u64,
    pub(super) recusas: u64,
    pub(super) avisos: u64,
    pub(super) de_outro_modo: PorComando,
    pub(super) sem_resposta: PorComando,
    pub(super) espalhamento_s: Option<f64>,
    pub(super) vazao: f64,
    falhas: BTreeMap<String, u64>,
    pub(super) latencias: DosComandos,
    pub(super) latencias_do_envio: Option<DosComandos>,
    pub(super) chegadas: Option<Chegadas>,
    pub(super) pedidos: Option<Pedidos>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PorComando {
    consultar: u64,
    comprar: u64,
}

/// As chegadas de um laço aberto.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Chegadas {
    pub(super) marcadas: u64,
    pub(super) enviadas: u64,
    pub(super) esperaram_usuario: u64,
    pub(super) maior_espera_s: f64,
    pub(super) atraso_do_cliente_p99_s: Option<f64>,
    fila_cheia_s: Option<f64>,
}

/// As compras numeradas.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pedidos {
    pub(super) ids: u64,
    pub(super) insistidos: u64,
    pub(super) repetidos: u64,
}

impl Chegadas {
    /// As que não acharam um usuário a tempo.
    pub(super) fn desistiram(&self) -> u64 {
        self.marcadas.saturating_sub(self.enviadas)
    }

    /// Se a taxa oferecida foi alcançada, e quão ruim é.
    pub(super) fn taxa(&self) -> (&'static str, u8) {
        if self.desistiram() == 0 && self.fila_cheia_s.is_none() {
            ("alcançada", 0)
        } else {
            ("não alcançada", 1)
        }
    }
}

impl PorComando {
    pub(super) fn soma(&self) -> f64 {
        self.consultar as f64 + self.comprar as f64
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct DosComandos {
    pub(super) consultar: Option<Latencias>,
    pub(super) comprar: Option<Latencias>,
}

/// Os percentis de um comando, em segundos.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Latencias {
    pub(super) p50_s: f64,
    pub(super) p90_s: f64,
    pub(super) p99_s: f64,
    pub(super) p999_s: f64,
    pub(super) maximo_s: f64,
}

impl Documento {
    /// Lê um arquivo.
    ///
    /// # Errors
    ///
    /// Não é um relatório da multidão deste formato.
    pub fn ler(caminho: &Path) -> Result<Self, Erro> {
        let dele = || caminho.to_owned();
        let bytes = fs::read(caminho)
            .map_err(|erro| Erro::Ilegivel { caminho: dele(), porque: explicar(&erro) })?;
        let valor: Value = serde_json::from_slice(&bytes).map_err(|_| Erro::Estranho(dele()))?;
        let formato = valor.get("formato").cloned().ok_or_else(|| Erro::Estranho(dele()))?;
        if valor.get("nota").is_some() && valor.get("itens").is_some() {
            return Err(Erro::Laudo(dele()));
        }
        if valor.get("resumo").is_none() {
            return Err(Erro::Estranho(dele()));
        }
        if formato.as_u64() != Some(FORMATO) {
            return Err(Erro::OutraVersao { caminho: dele(), formato });
        }
        serde_json::from_value(valor).map_err(|_| Erro::Incompleto(dele()))
    }

    /// O veredito do estoque, e quão ruim é.
    pub(super) fn estoque(&self) -> (&'static str, u8) {
        match self.vereditos.estoque.veredito {
            Estoque::Consistente => ("consistente", 0),
            Estoque::SemVeredito => ("sem veredito", 1),
            Estoque::Inconsistente => ("inconsistente", 2),
        }
    }

    /// O veredito do AVISO, e quão ruim é.
    pub(super) fn aviso(&self) -> (&'static str, u8) {
        let aviso = self.vereditos.aviso.veredito;
        let peso = match aviso {
            Aviso::Certo => 0,
            Aviso::NaoJulgado => 1,
            _ => 2,
        };
        let palavra = match aviso {
            Aviso::AQuemChegouDepois => "fora de hora",
            outro => outro.palavras(),
        };
        (palavra, peso)
    }

    /// As compras de que não se sabe se valeram.
    pub(super) fn desconhecidas(&self) -> u64 {
        let Resumo { sem_resposta, de_outro_modo, .. } = &self.resumo;
        sem_resposta.comprar.saturating_add(de_outro_modo.comprar)
    }

    pub(super) fn falhas(&self) -> f64 {
        self.resumo.falhas.values().fold(0, |soma: u64, vezes| soma.saturating_add(*vezes)) as f64
    }
}
