//! Quanto vale cada item: os pesos do §10, ou os que o professor escreve em um TOML. Só muda a escala; o que cada
//! conferência conclui é o mesmo.
//!
//! O do cliente é zero, porque o §10 não o pede; quem o põe na nota é a turma, que observa os clientes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protocolo::terminal::explicar;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::boletim::{Item, nota};

/// O nome que o enunciado dá a cada item.
pub const MULTITHREADING: &str = "Multithreading";
/// O segundo.
pub const EXCLUSAO_MUTUA: &str = "Exclusão Mútua";
/// O terceiro.
pub const PROTOCOLO: &str = "Protocolo";
/// O último.
pub const ROBUSTEZ: &str = "Robustez";

/// Quanto vale cada item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pesos {
    /// Aceita conexões simultâneas.
    pub multithreading: f64,
    /// O estoque não se contradiz.
    pub exclusao_mutua: f64,
    /// Os comandos respondem o que se especificou.
    pub protocolo: f64,
    /// Sobrevive ao que não devia acontecer.
    pub robustez: f64,
    /// O simulador cumpre o que se pede dele (§5, §6). Quem avalia um servidor não precisa de o saber.
    #[serde(skip_serializing)]
    pub cliente: f64,
    /// Quanto tudo vale junto, se o professor o diz: os pesos passam a somar isto, na mesma proporção.
    #[serde(skip_serializing)]
    total: Option<f64>,
}

impl Default for Pesos {
    /// Os do §10.
    fn default() -> Self {
        Pesos {
            multithreading: 3.0,
            exclusao_mutua: 4.0,
            protocolo: 2.0,
            robustez: 1.0,
            cliente: 0.0,
            total: None,
        }
    }
}

/// O arquivo de pesos não serve.
#[derive(Debug, Error)]
pub enum Erro {
    /// Não se lê.
    #[error("não posso ler '{}': {}; confira --pesos", .0.display(), explicar(.1))]
    NaoSeLe(PathBuf, io::Error),
    /// Não são pesos.
    #[error(
        "'{}' não tem pesos que eu entenda; são números de 0 a 100, como: multithreading = 3.0, exclusao_mutua = 4.0, \
         protocolo = 2.0, robustez = 1.0, cliente = 2.0, total = 10.0",
        .0.display()
    )]
    NaoSaoPesos(PathBuf),
}

impl Pesos {
    /// Lê os pesos de um TOML; o que ele não diz é como no §10.
    ///
    /// # Errors
    ///
    /// O arquivo não se lê, ou não tem pesos.
    pub fn ler(caminho: Option<&Path>) -> Result<Self, Erro> {
        let Some(caminho) = caminho else { return Ok(Self::default()) };
        let texto =
            fs::read_to_string(caminho).map_err(|erro| Erro::NaoSeLe(caminho.into(), erro))?;
        let nao_sao = || Erro::NaoSaoPesos(caminho.into());
        let pesos: Pesos = toml::from_str(&texto).map_err(|_| nao_sao())?;
        let mut todos = pesos.do_servidor().into_iter().chain([pesos.cliente]);
        let servem = todos.all(|peso| (0.0..=100.0).contains(&peso));
        // O servidor vale alguma coisa: sem ele não há laudo.
        let servem = servem && pesos.do_servidor().iter().sum::<f64>() > 0.0;
        let vezes = pesos.total.map_or(1.0, |total| total / pesos.soma());
        let cabe = pesos.total.is_none_or(|total| total > 0.0 && total <= 100.0);
        if servem && cabe { Ok(pesos.vezes(vezes)) } else { Err(nao_sao()) }
    }

    /// Quanto vale tudo, com o cliente.
    pub fn soma(&self) -> f64 {
        self.do_servidor().iter().sum::<f64>() + self.cliente
    }

    fn do_servidor(&self) -> [f64; 4] {
        [self.multithreading, self.exclusao_mutua, self.protocolo, self.robustez]
    }

    fn vezes(&self, vezes: f64) -> Self {
        Pesos {
            multithreading: self.multithreading * vezes,
            exclusao_mutua: self.exclusao_mutua * vezes,
            protocolo: self.protocolo * vezes,
            robustez: self.robustez * vezes,
            cliente: self.cliente * vezes,
            total: None,
        }
    }

    /// Os do servidor são os do §10?
    fn do_enunciado(&self) -> bool {
        self.do_servidor() == Self::default().do_servidor()
    }

    fn de(&self, nome: &str) -> f64 {
        match nome {
            MULTITHREADING => self.multithreading,
            EXCLUSAO_MUTUA => self.exclusao_mutua,
            PROTOCOLO => self.protocolo,
            _ => self.robustez,
        }
    }

    /// Os mesmos itens, com estes pesos.
    pub(super) fn aplicar(&self, itens: Vec<Item>) -> Vec<Item> {
        if self.do_enunciado() {
            return itens;
        }
        let pesar = |item: Item| {
            let vezes = self.de(item.nome) / item.de();
            let conferencias = item.conferencias.into_iter().map(|c| c.valendo(vezes)).collect();
            Item { conferencias, ..item }
        };
        itens.into_iter().map(pesar).collect()
    }

    /// Que os pesos não são os do enunciado, se não são.
    pub(super) fn observacao(&self) -> Option<String> {
        let todos = [MULTITHREADING, EXCLUSAO_MUTUA, PROTOCOLO, ROBUSTEZ];
        let ditos: Vec<String> =
            todos.iter().map(|nome| format!("{nome} {}", nota(self.de(nome)))).collect();
        (!self.do_enunciado())
            .then(|| format!("os pesos são os do professor, e não os do §10: {}", ditos.join(", ")))
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::boletim::exemplos::conferencia;

    fn lidos(texto: &str) -> Result<Pesos, Erro> {
        let pasta = tempfile::tempdir().unwrap();
        let caminho = pasta.path().join("pesos.toml");
        fs::write(&caminho, texto).unwrap();
        Pesos::ler(Some(&caminho))
    }

    #[test]
    fn o_que_o_arquivo_nao_diz_vale_o_do_enunciado() {
        assert_eq!(lidos("").unwrap(), Pesos::default());
        let pesos = lidos("robustez = 2\nexclusao_mutua = 3.0").unwrap();
        assert_eq!(pesos, Pesos { robustez: 2.0, exclusao_mutua: 3.0, ..Pesos::default() });
    }

    #[test]
    fn o_que_nao_sao_pesos_se_recusa() {
        for errado in [
            "robustez = -1",
            "robustes = 1",
            "x",
            "robustez = nan",
            "protocolo = \"2\"",
            "cliente = -1",
            "cliente = nan",
            "total = 0",
            "total = inf",
            "total = 101",
        ] {
            assert!(lidos(errado).is_err(), "{errado}");
        }
        let zerados = "multithreading=0\nexclusao_mutua=0\nprotocolo=0\nrobustez=0";
        assert!(lidos(zerados).is_err());
        assert!(lidos(&format!("{zerados}\ncliente=10")).is_err(), "sem servidor não há laudo");
    }

    #[test]
    fn o_cliente_se_soma_aos_do_servidor_e_o_total_reparte_tudo() {
        let pesos = lidos("cliente = 2.5").unwrap();
        assert_eq!((pesos.soma(), pesos.observacao()), (12.5, None));
        let pesos = lidos("cliente = 2.5\ntotal = 10").unwrap();
        assert_eq!(
            (nota(pesos.soma()), pesos.cliente, pesos.exclusao_mutua),
            ("10,0".into(), 2.0, 3.2)
        );
        assert!(pesos.observacao().is_some_and(|dito| dito.contains("Exclusão Mútua 3,2")));
    }

    #[test]
    fn cada_item_passa_a_valer_o_peso_e_guarda_a_proporcao() {
        let conferencias = vec![conferencia("", 0.5, 1.0), conferencia("", 1.0, 1.0)];
        let itens = vec![Item { nome: PROTOCOLO, conferencias }];
        let pesos = Pesos { protocolo: 4.0, ..Pesos::default() };
        let [item] = &pesos.aplicar(itens)[..] else { panic!("um só") };
        assert_eq!((item.pontos(), item.de()), (3.0, 4.0));
    }
}
