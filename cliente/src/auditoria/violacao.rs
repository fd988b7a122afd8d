//! Uma contradição e as provas dela. Só guarda e diz em uma frase; o desenho no tempo está em `desenho`.

use std::fmt;
use std::time::Duration;

use super::regra::Regra;
use crate::historia::vivido::Qual;
use crate::tempo::{formatar, instante};

/// Com quantas casas se diz um instante: até o microssegundo.
pub(super) const CASAS: usize = 6;

/// Algo que nenhum servidor certo faria. `Display` é uma frase; [`Violacao::intercalacao`], o desenho.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violacao {
    /// O que foi violado.
    pub regra: Regra,
    /// Quando a contradição ficou completa, desde o começo da simulação.
    pub quando: Duration,
    /// As operações que se contradizem: uma, se já é impossível sozinha, ou duas.
    pub provas: Vec<Leitura>,
}

impl fmt::Display for Violacao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [primeira, resto @ ..] = self.provas.as_slice() else { return Ok(()) };
        let segunda = resto.first();
        let outra = segunda.map(Leitura::to_string).unwrap_or_default();
        f.write_str(&match self.regra {
            Regra::EstoqueNegativo => {
                let ultimo = segunda.map(|ultima| ultima.usuario);
                let ultimo = ultimo.map(|usuario| format!("; a última foi do usuário {usuario}"));
                format!("estoque negativo: {primeira}{}", ultimo.unwrap_or_default())
            }
            Regra::VendaRepetida => {
                format!("a mesma unidade vendida duas vezes: {primeira}, e {outra}")
            }
            Regra::EstoqueSubiu => format!("o estoque subiu: {primeira}, mas antes disso {outra}"),
            Regra::ForaDoLivro => {
                let antes = segunda.map(|_| format!(", mas antes disso {outra}"));
                let antes = antes.unwrap_or_default();
                format!("nem com as reposições do livro: {primeira}{antes}")
            }
            Regra::AcimaDoInicial { inicial } => {
                format!("havia mais que as {inicial} unidades do começo: {primeira}")
            }
            Regra::VendeuDemais { inicial, vendas } => {
                format!("{vendas} vendas, e só havia {inicial} unidades: {primeira}, já a mais")
            }
            Regra::UnidadeSumiu { restaria, quantas } => {
                let compras = ninguem_comprou(restaria, quantas);
                format!("uma unidade sumiu: {primeira}, e {compras}")
            }
            Regra::RecusaIndevida { restaria, quantas } => {
                let compras = ninguem_comprou(restaria, quantas);
                format!("recusa com o que vender: {primeira}, e {compras}")
            }
            Regra::DuasRespostas { numero } => {
                let de_quem = format!("o {numero}º do usuário {}", primeira.usuario);
                format!(
                    "o mesmo pedido teve duas respostas ({de_quem}): {primeira}, e depois {outra}"
                )
            }
            Regra::AvisoRepetido => {
                format!("AVISO repetido: {primeira}, e de novo, na mesma conexão: {outra}")
            }
            Regra::AvisoAdiantado => {
                let havia = segunda.map(|_| format!("depois disso {outra}"));
                let havia = havia.unwrap_or_else(|| "havia o que vender".into());
                format!("AVISO antes da hora: {primeira}, e {havia}")
            }
            Regra::AvisoAtrasado { depois } => {
                let depois = formatar(depois);
                format!("AVISO atrasado, chegou {depois} depois: {primeira}, e {outra}")
            }
            Regra::AvisoAQuemChegouDepois => {
                format!("AVISO a quem chegou depois: {primeira}, e só conectou depois que {outra}")
            }
            Regra::AvisoPerdido => format!("AVISO perdido: {primeira}, e {outra}"),
        })
    }
}

fn ninguem_comprou(restaria: i128, quantas: i128) -> String {
    let outras = match quantas {
        2 => " (nem outra)".into(),
        3.. => format!(" (nem outras {})", quantas - 1),
        _ => String::new(),
    };
    format!("ninguém comprou a que deixaria {restaria}{outras}")
}

/// O contador, visto por alguém em algum instante de `[inicio, fim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leitura {
    /// Quem viu.
    pub usuario: usize,
    /// Por qual servidor.
    pub servidor: Qual,
    /// Um instante antes de pedir. De um AVISO, que ninguém pediu, zero; ou quando quem o ouviu conectou, se é isso que o
    /// contradiz.
    pub inicio: Duration,
    /// Um instante depois de ouvir.
    pub fim: Duration,
    /// Como viu.
    pub origem: Origem,
    /// O que viu; depois da venda, se foi uma.
    pub valor: i128,
}

/// De que modo se viu o contador.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origem {
    /// Por uma resposta a CONSULTAR.
    Consulta,
    /// Por uma compra.
    Venda,
    /// Por uma compra que não disse quanto restou, ou o disse de um jeito que admite mais de uma leitura. É
    /// prova de que vendeu, e de mais nada.
    VendaSemNumero,
    /// Por uma recusa: zero.
    Recusa,
    /// Pelo AVISO: zero. Ninguém o pediu, e só o `fim` diz algo.
    Aviso,
    /// Não viu: esteve conectado neste tempo, e o AVISO não veio.
    Silencio,
}

impl Leitura {
    /// O contador imediatamente antes: uma venda o fez descer um.
    pub fn antes(&self) -> i128 {
        self.valor.saturating_add(i128::from(self.origem == Origem::Venda))
    }

    /// O que foi pedido.
    pub fn pedido(&self) -> &'static str {
        match self.origem {
            Origem::Consulta => "CONSULTAR",
            Origem::Venda | Origem::VendaSemNumero | Origem::Recusa => "COMPRAR",
            Origem::Aviso | Origem::Silencio => "",
        }
    }

    /// O que se ouviu, em poucas palavras.
    pub fn ouvido(&self) -> String {
        match self.origem {
            Origem::Consulta => format!("leu {}", self.valor),
            Origem::Venda => format!("comprou, restaram {}", self.valor),
            Origem::VendaSemNumero => "comprou".into(),
            Origem::Recusa => "ouviu que esgotou".into(),
            Origem::Aviso => "recebeu o AVISO".into(),
            Origem::Silencio => "não recebeu o AVISO".into(),
        }
    }
}

impl fmt::Display for Leitura {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leitura { usuario, servidor, valor, inicio, fim, .. } = self;
        let quando = format!("{}{servidor}", instante(*fim, CASAS));
        match self.origem {
            Origem::Consulta => {
                write!(f, "o usuário {usuario} consultou e leu {valor} aos {quando}")
            }
            Origem::Venda => {
                write!(f, "o usuário {usuario} comprou e restaram {valor} aos {quando}")
            }
            Origem::VendaSemNumero => write!(f, "o usuário {usuario} comprou aos {quando}"),
            Origem::Recusa => write!(f, "o usuário {usuario} ouviu que esgotou aos {quando}"),
            Origem::Aviso => write!(f, "o usuário {usuario} recebeu o AVISO aos {quando}"),
            Origem::Silencio => {
                let desde = instante(*inicio, CASAS);
                write!(f, "o usuário {usuario}, conectado de {desde} a {quando}, nada recebeu")
            }
        }
    }
}

/// Leituras e contradições para os testes de quem as desenha.
#[cfg(test)]
pub(crate) mod exemplos {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn leitura(
        usuario: usize,
        inicio: u64,
        fim: u64,
        origem: Origem,
        valor: i128,
    ) -> Leitura {
        let [inicio, fim] = [inicio, fim].map(Duration::from_millis);
        Leitura { usuario, servidor: Qual::default(), inicio, fim, origem, valor }
    }

    pub(crate) fn violacao(provas: &[Leitura]) -> Violacao {
        Violacao { regra: Regra::EstoqueSubiu, quando: Duration::ZERO, provas: provas.to_vec() }
    }

    prop_compose! {
        pub(crate) fn qualquer_leitura()(
            usuario: usize,
            instantes: [Duration; 2],
            pequenos: bool,
            valor: i128,
            qual in 0..5_usize,
            servidor: u16,
        ) -> Leitura {
            // Do que há no mundo, e do que só um servidor hostil faria haver.
            let [um, outro] = instantes.map(|i| if pequenos { i / (1 << 31) / (1 << 31) } else { i });
            let origem = [Origem::Consulta, Origem::Venda, Origem::Recusa, Origem::Aviso, Origem::Silencio][qual];
            let (usuario, valor) =
                if pequenos { (usuario % 100_000, valor % 10_000_000) } else { (usuario, valor) };
            let servidor = Qual::de(servidor.into(), 2);
            Leitura { usuario, servidor, inicio: um.min(outro), fim: um.max(outro), origem, valor }
        }
    }
}
