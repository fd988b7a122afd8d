//! As reposições: como se audita um estoque que também sobe, quando o livro do servidor diz quanto entrou e depois de
//! quantas vendas.
//!
//! Com elas, o que aconteceu ao estoque é uma fila de passos já conhecida: tantas vendas, entram tantas unidades, mais
//! vendas... Um *lugar* é quantos passos dela já se deram, e só cresce. Um número não diz o lugar, porque o estoque
//! passa por ele mais de uma vez; mas cada resposta só tem um lugar possível entre duas reposições, e nenhuma pode
//! estar antes das que terminaram antes de ela começar. Basta dar a cada uma, por ordem de término, o primeiro lugar
//! que lhe serve. Se alguma distribuição serve, essa serve: uma leitura em um lugar menor não impede nada que a maior
//! deixasse, e de duas vendas que leram o mesmo, a que terminou antes pode trocar de lugar com a outra, porque quem vem
//! depois dela vem também depois da que demorou mais.
//!
//! O que falta, no fim da fila, é um contador que só desce, um a cada passo: as regras do estoque são as de sempre, e
//! uma reposição é um passo que não precisa de comprador. Nenhum relógio entra na conta: nem o do servidor, nem a hora
//! que o livro diz.
//!
//! O AVISO não se julga: com reposições há mais de um esgotamento, e a quem se deve cada um não se confere aqui.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use protocolo::terminal::explicar;
use serde::Deserialize;

use super::regra::Regra;
use super::violacao::{Leitura, Origem, Violacao};

/// O que entrou no estoque, e quando, contado em vendas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reposicoes {
    /// Pela ordem; a primeira é o estoque inicial.
    entradas: Vec<Entrada>,
}

/// Unidades que entraram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entrada {
    /// Tudo o que já tinha entrado, com estas.
    ate_aqui: i128,
    /// Quantas vendas tinha havido.
    depois_da_venda: i128,
}

/// Por que não se sabem as reposições.
#[derive(Debug, thiserror::Error)]
pub enum Erro {
    /// O arquivo não se lê.
    #[error("não posso ler as reposições de {arquivo}: {}", explicar(.causa))]
    Arquivo {
        /// O que se pediu.
        arquivo: String,
        /// O que o sistema disse.
        causa: std::io::Error,
    },
    /// Não é o extrato de um livro.
    #[error("{0} não é o extrato de um livro; faça-o com 'servidor extrato LIVRO --json'")]
    NaoEExtrato(String),
}

/// Do extrato, só o que interessa aqui.
#[derive(Deserialize)]
struct Extrato {
    estoque: Vec<UmaEntrada>,
}

#[derive(Deserialize)]
struct UmaEntrada {
    unidades: u64,
    depois_da_venda: u64,
}

impl Reposicoes {
    /// As do extrato em JSON de um livro, que está neste arquivo.
    ///
    /// # Errors
    ///
    /// O arquivo não se lê, ou não é um extrato.
    pub fn ler(arquivo: &Path) -> Result<Self, Erro> {
        let nome = || arquivo.display().to_string();
        let texto = std::fs::read_to_string(arquivo)
            .map_err(|causa| Erro::Arquivo { arquivo: nome(), causa })?;
        let extrato: Extrato =
            serde_json::from_str(&texto).map_err(|_| Erro::NaoEExtrato(nome()))?;
        let entradas = extrato.estoque.iter().map(|entrada| {
            let UmaEntrada { unidades, depois_da_venda } = entrada;
            (*unidades, *depois_da_venda)
        });
        Reposicoes::novas(entradas).ok_or_else(|| Erro::NaoEExtrato(nome()))
    }

    /// As entradas no estoque, na ordem: quantas unidades, e depois de quantas vendas. A primeira é o estoque inicial.
    /// `None` se não há como elas serem de um estoque.
    pub fn novas(entradas: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
        let mut todas: Vec<Entrada> = Vec::new();
        for (unidades, depois_da_venda) in entradas {
            let (antes, desde) =
                todas.last().map_or((0, 0), |antes| (antes.ate_aqui, antes.depois_da_venda));
            let depois_da_venda = i128::from(depois_da_venda);
            if !(desde..=antes).contains(&depois_da_venda) {
                return None;
            }
            todas.push(Entrada { ate_aqui: antes + i128::from(unidades), depois_da_venda });
        }
        (!todas.is_empty()).then_some(Reposicoes { entradas: todas })
    }

    /// De que vendas a que vendas o estoque ficou como a entrada `qual` o deixou.
    fn vendas_de(&self, qual: usize) -> (i128, i128) {
        let entrada = self.entradas[qual];
        let seguinte = self.entradas.get(qual + 1).map(|seguinte| seguinte.depois_da_venda);
        (entrada.depois_da_venda, seguinte.unwrap_or(entrada.ate_aqui))
    }

    /// O último lugar: tudo o que entrou foi vendido.
    fn ultimo(&self) -> i128 {
        self.entradas.last().map_or(0, |ultima| ultima.ate_aqui) + self.entradas.len() as i128 - 1
    }

    /// Os lugares em que o estoque era este; se `vendeu`, só os que uma venda deixou assim. Em ordem.
    fn lugares(&self, valor: i128, vendeu: bool) -> impl Iterator<Item = i128> {
        (0..self.entradas.len()).filter_map(move |qual| {
            let vendas = self.entradas[qual].ate_aqui.saturating_sub(valor);
            let (de, ate) = self.vendas_de(qual);
            let cabe = (de + i128::from(vendeu)..=ate).contains(&vendas);
            cabe.then_some(vendas + qual as i128)
        })
    }

    /// A entrada que valia neste lugar.
    fn entrada_em(&self, lugar: i128) -> usize {
        let antes = |qual: &usize| self.vendas_de(*qual).1 + (*qual as i128) < lugar;
        (0..self.entradas.len() - 1).take_while(antes).count()
    }

    /// O estoque neste lugar.
    fn estoque_em(&self, lugar: i128) -> i128 {
        let qual = self.entrada_em(lugar);
        self.entradas[qual].ate_aqui - (lugar - qual as i128)
    }

    /// O contador que só desce: quantos passos faltam neste lugar.
    fn faltam(&self, lugar: i128) -> i128 {
        self.ultimo() - lugar
    }

    /// O que [`Reposicoes::faltam`] diz logo depois de cada reposição: passos que não precisam de comprador.
    pub(super) fn sem_comprador(&self) -> BTreeSet<i128> {
        let depois = |qual: usize| self.faltam(self.vendas_de(qual).0 + qual as i128);
        (1..self.entradas.len()).map(depois).collect()
    }

    /// De onde a multidão pode ter começado, se o servidor abriu com isto.
    pub(super) fn comecos(&self, inicial: i128) -> Vec<i128> {
        self.lugares(inicial, false).collect()
    }

    /// Estas leituras, a começar deste lugar, como as de um contador que só desce; e as que nunca o estoque mostrou.
    pub(super) fn desdobrar(&self, leituras: &[Leitura], comeco: i128) -> Desdobradas {
        let mut por_fim: Vec<&Leitura> = leituras.iter().collect();
        por_fim.sort_by_key(|leitura| leitura.fim);
        // Quando cada uma terminou, e o maior lugar até ela.
        let mut maiores: Vec<(Duration, i128)> = Vec::with_capacity(por_fim.len());
        let mut tomados = BTreeSet::new();
        let mut feitas = Desdobradas { leituras: Vec::with_capacity(leituras.len()), fora: None };
        for leitura in por_fim {
            let vendeu = leitura.origem == Origem::Venda;
            let terminadas = maiores.partition_point(|(fim, _)| *fim < leitura.inicio);
            let antes = terminadas.checked_sub(1).map_or(comeco, |ultima| maiores[ultima].1);
            let serve = |lugar: &i128| match vendeu {
                true => *lugar > antes && !tomados.contains(lugar),
                false => *lugar >= antes,
            };
            let mut lugares = self.lugares(leitura.valor, vendeu);
            // Nenhum serve: fica no último, e são as regras que o acusam.
            let lugar = lugares.find(serve).or_else(|| self.lugares(leitura.valor, vendeu).last());
            let Some(lugar) = lugar else {
                let e_a_primeira = feitas.fora.is_none_or(|outra| leitura.fim < outra.fim);
                feitas.fora = if e_a_primeira { Some(*leitura) } else { feitas.fora };
                continue;
            };
            if vendeu {
                tomados.insert(lugar);
            }
            let maior = maiores.last().map_or(comeco, |(_, maior)| *maior).max(lugar);
            maiores.push((leitura.fim, maior));
            feitas.leituras.push(Leitura { valor: self.faltam(lugar), ..*leitura });
        }
        feitas
    }

    /// O que faltava, no contador que só desce, quando a multidão começou neste lugar.
    pub(super) fn inicial(&self, comeco: i128) -> i128 {
        self.faltam(comeco)
    }

    /// Quantas vendas ainda podia haver a partir deste lugar.
    pub(super) fn vendas_desde(&self, comeco: i128) -> i128 {
        let reposicoes = self.entradas.len() - 1 - self.entrada_em(comeco);
        self.faltam(comeco) - reposicoes as i128
    }

    /// A contradição, com os números que se ouviram em lugar dos do contador que só desce.
    pub(super) fn como_se_ouviu(&self, violacao: Violacao, inicial: Option<i128>) -> Violacao {
        let ouvido = |faltam: i128| self.estoque_em(self.ultimo() - faltam);
        let regra = match violacao.regra {
            Regra::UnidadeSumiu { restaria, quantas } => {
                Regra::UnidadeSumiu { restaria: ouvido(restaria), quantas }
            }
            Regra::RecusaIndevida { restaria, quantas } => {
                Regra::RecusaIndevida { restaria: ouvido(restaria), quantas }
            }
            Regra::EstoqueSubiu => Regra::ForaDoLivro,
            Regra::AcimaDoInicial { .. } => {
                Regra::AcimaDoInicial { inicial: inicial.unwrap_or_default() }
            }
            outra => outra,
        };
        let provas = violacao
            .provas
            .into_iter()
            .map(|prova| Leitura { valor: ouvido(prova.valor), ..prova });
        Violacao { regra, quando: violacao.quando, provas: provas.collect() }
    }

    /// O que se viu entrar, desde o começo se se sabe qual foi.
    pub(super) fn viu(&self, desdobradas: &[Leitura], comeco: Option<i128>) -> Viu {
        let lugares = || desdobradas.iter().map(|leitura| self.ultimo() - leitura.valor);
        let de = self.entrada_em(lugares().chain(comeco).min().unwrap_or(0));
        let ate = self.entrada_em(lugares().max().unwrap_or(0)).max(de);
        let unidades = self.entradas[ate].ate_aqui - self.entradas[de].ate_aqui;
        match ate - de {
            0 if de + 1 == self.entradas.len() => Viu::NadaPorEntrar,
            0 => Viu::Nada,
            reposicoes => Viu::Entrar { unidades: unidades as usize, reposicoes },
        }
    }
}

/// O que a multidão viu entrar no estoque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Viu {
    /// Quando ela começou, a última reposição já tinha entrado.
    NadaPorEntrar,
    /// Nada; mas houve reposições, e pode ter acontecido o que ela não viu.
    Nada,
    /// Isto.
    Entrar { unidades: usize, reposicoes: usize },
}

/// Leituras de um estoque que sobe, como as de um contador que só desce.
#[derive(Debug)]
pub(super) struct Desdobradas {
    pub(super) leituras: Vec<Leitura>,
    /// A primeira a mostrar o que o estoque, segundo o livro, nunca teve.
    pub(super) fora: Option<Leitura>,
}
