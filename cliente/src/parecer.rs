//! O parecer: o que a auditoria concluiu, com as provas. Só guarda e mostra; quem julga é
//! [`crate::auditoria`], e o desenho de uma contradição está em `desenho`.

use std::fmt;
use std::time::Duration;

use protocolo::terminal::contar;

use crate::cores::{self, Tinta};

/// A conclusão da auditoria. `Display` dá as observações, a primeira contradição desenhada no tempo e,
/// por último, a linha do veredito; `{:#}` dá o mesmo, em cores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parecer {
    /// O que está errado, o primeiro a acontecer antes.
    pub violacoes: Vec<Violacao>,
    /// O que vale dizer e não é erro.
    pub observacoes: Vec<String>,
}

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

/// O que um servidor certo nunca viola. As regras e o porquê delas estão em [`crate::auditoria`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regra {
    /// O contador desceu abaixo de zero.
    EstoqueNegativo,
    /// Uma unidade teve dois compradores.
    VendaRepetida,
    /// Alguém viu mais do que outro já tinha visto antes.
    EstoqueSubiu,
    /// Alguém viu mais do que havia ao abrir.
    AcimaDoInicial {
        /// Com quanto o servidor abriu.
        inicial: i128,
    },
    /// Houve mais vendas do que unidades; algumas não disseram quanto restou.
    VendeuDemais {
        /// Com quanto o servidor abriu.
        inicial: i128,
        /// Quantas vendas houve.
        vendas: i128,
    },
    /// O contador desceu sem que alguém comprasse.
    UnidadeSumiu {
        /// O que restaria depois da venda que não houve.
        restaria: i128,
        /// Quantas unidades ficaram assim, contando esta.
        quantas: i128,
    },
    /// Alguém ouviu que esgotou, e havia o que vender.
    RecusaIndevida {
        /// O que restaria depois da venda que não houve.
        restaria: i128,
        /// Quantas unidades ficaram assim, contando esta.
        quantas: i128,
    },
    /// A mesma conexão recebeu dois AVISOs.
    AvisoRepetido,
    /// Recebeu o AVISO quem só conectou depois do esgotamento.
    AvisoAtrasado,
    /// Não recebeu o AVISO quem estava conectado no esgotamento.
    AvisoPerdido,
}

impl Regra {
    /// O nome dela nos relatórios: estável, em minúsculas, com hífens.
    pub fn nome(self) -> &'static str {
        match self {
            Regra::EstoqueNegativo => "estoque-negativo",
            Regra::VendaRepetida => "venda-repetida",
            Regra::EstoqueSubiu => "estoque-subiu",
            Regra::AcimaDoInicial { .. } => "acima-do-inicial",
            Regra::VendeuDemais { .. } => "vendeu-demais",
            Regra::UnidadeSumiu { .. } => "unidade-sumiu",
            Regra::RecusaIndevida { .. } => "recusa-indevida",
            Regra::AvisoRepetido => "aviso-repetido",
            Regra::AvisoAtrasado => "aviso-atrasado",
            Regra::AvisoPerdido => "aviso-perdido",
        }
    }

    /// É sobre o estoque (§7.2)? Senão, é sobre o AVISO (§7.3).
    pub fn do_estoque(self) -> bool {
        !matches!(self, Regra::AvisoRepetido | Regra::AvisoAtrasado | Regra::AvisoPerdido)
    }
}

/// O contador, visto por alguém em algum instante de `[inicio, fim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leitura {
    /// Quem viu.
    pub usuario: usize,
    /// Um instante antes de pedir.
    pub inicio: Duration,
    /// Um instante depois de ouvir.
    pub fim: Duration,
    /// Como viu.
    pub que: Que,
    /// O que viu; depois da venda, se foi uma.
    pub valor: i128,
}

/// De que modo se viu o contador.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Que {
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
        self.valor.saturating_add(i128::from(self.que == Que::Venda))
    }

    /// O que foi pedido.
    pub fn pedido(&self) -> &'static str {
        match self.que {
            Que::Consulta => "CONSULTAR",
            Que::Venda | Que::VendaSemNumero | Que::Recusa => "COMPRAR",
            Que::Aviso | Que::Silencio => "",
        }
    }

    /// O que se ouviu, em poucas palavras.
    pub fn ouvido(&self) -> String {
        match self.que {
            Que::Consulta => format!("leu {}", self.valor),
            Que::Venda => format!("comprou, restaram {}", self.valor),
            Que::VendaSemNumero => "comprou".into(),
            Que::Recusa => "ouviu que esgotou".into(),
            Que::Aviso => "recebeu o AVISO".into(),
            Que::Silencio => "não recebeu o AVISO".into(),
        }
    }
}

impl fmt::Display for Leitura {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leitura { usuario, valor, inicio, fim, .. } = self;
        let quando = segundos(*fim);
        match self.que {
            Que::Consulta => write!(f, "o usuário {usuario} consultou e leu {valor} aos {quando}"),
            Que::Venda => {
                write!(f, "o usuário {usuario} comprou e restaram {valor} aos {quando}")
            }
            Que::VendaSemNumero => write!(f, "o usuário {usuario} comprou aos {quando}"),
            Que::Recusa => write!(f, "o usuário {usuario} ouviu que esgotou aos {quando}"),
            Que::Aviso => write!(f, "o usuário {usuario} recebeu o AVISO aos {quando}"),
            Que::Silencio => {
                let desde = segundos(*inicio);
                write!(f, "o usuário {usuario}, conectado de {desde} a {quando}, nada recebeu")
            }
        }
    }
}

impl fmt::Display for Violacao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [primeira, resto @ ..] = self.provas.as_slice() else { return Ok(()) };
        let outra = resto.first().map(Leitura::to_string).unwrap_or_default();
        match self.regra {
            Regra::EstoqueNegativo => {
                write!(f, "estoque negativo: {primeira}")?;
                match resto.first() {
                    Some(ultima) => write!(f, "; a última foi do usuário {}", ultima.usuario),
                    None => Ok(()),
                }
            }
            Regra::VendaRepetida => {
                write!(f, "a mesma unidade vendida duas vezes: {primeira}, e {outra}")
            }
            Regra::EstoqueSubiu => {
                write!(f, "o estoque subiu: {primeira}, mas antes disso {outra}")
            }
            Regra::AcimaDoInicial { inicial } => {
                write!(f, "havia mais que as {inicial} unidades do começo: {primeira}")
            }
            Regra::VendeuDemais { inicial, vendas } => {
                write!(f, "{vendas} vendas, e só havia {inicial} unidades: {primeira}, já a mais")
            }
            Regra::UnidadeSumiu { restaria, quantas } => {
                write!(f, "uma unidade sumiu: {primeira}, e ")?;
                ninguem_comprou(f, restaria, quantas)
            }
            Regra::RecusaIndevida { restaria, quantas } => {
                write!(f, "recusa com o que vender: {primeira}, e ")?;
                ninguem_comprou(f, restaria, quantas)
            }
            Regra::AvisoRepetido => {
                write!(f, "AVISO repetido: {primeira}, e de novo, na mesma conexão: {outra}")
            }
            Regra::AvisoAtrasado => {
                write!(f, "AVISO atrasado: {primeira}, e só conectou depois que {outra}")
            }
            Regra::AvisoPerdido => write!(f, "AVISO perdido: {primeira}, e {outra}"),
        }
    }
}

fn ninguem_comprou(f: &mut fmt::Formatter<'_>, restaria: i128, quantas: i128) -> fmt::Result {
    write!(f, "ninguém comprou a que deixaria {restaria}")?;
    match quantas {
        2 => write!(f, " (nem outra)"),
        3.. => write!(f, " (nem outras {})", quantas - 1),
        _ => Ok(()),
    }
}

impl Parecer {
    /// Nada de errado?
    pub fn consistente(&self) -> bool {
        self.violacoes.is_empty()
    }

    /// O veredito em uma frase.
    pub fn veredito(&self) -> String {
        match self.violacoes.as_slice() {
            [] => "CONSISTENTE".into(),
            [unica] => format!("INCONSISTENTE: {unica}"),
            [primeira, resto @ ..] => {
                let mais = contar(resto.len(), "contradição", "contradições");
                format!("INCONSISTENTE: {primeira} (e mais {mais})")
            }
        }
    }
}

impl fmt::Display for Parecer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for observacao in &self.observacoes {
            writeln!(f, "Observação: {observacao}")?;
        }
        if let Some(primeira) = self.violacoes.first() {
            if !self.observacoes.is_empty() {
                writeln!(f)?;
            }
            write!(f, "A primeira contradição, no tempo:\n{}\n", primeira.intercalacao())?;
        }
        let veredito = self.veredito();
        let fim = veredito.find(':').unwrap_or(veredito.len());
        let (palavra, porque) = veredito.split_at(fim);
        let tinta = if self.consistente() { Tinta::Boa } else { Tinta::Ruim };
        f.write_str("Veredito: ")?;
        cores::pintar(f, tinta, palavra)?;
        writeln!(f, "{porque}")
    }
}

/// Um instante, em segundos com seis casas.
pub fn segundos(instante: Duration) -> String {
    format!("{:.6} s", instante.as_secs_f64()).replace('.', ",")
}

#[cfg(test)]
mod testes {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn leitura(usuario: usize, inicio: u64, fim: u64, que: Que, valor: i128) -> Leitura {
        Leitura { usuario, inicio: ms(inicio), fim: ms(fim), que, valor }
    }

    fn violacao(regra: Regra, provas: &[Leitura]) -> Violacao {
        Violacao { regra, quando: ms(0), provas: provas.to_vec() }
    }

    #[test]
    fn cada_regra_tem_o_seu_nome_e_a_sua_frase() {
        let provas = [leitura(1, 0, 1, Que::Consulta, 3), leitura(2, 0, 2, Que::Aviso, 0)];
        let (inicial, restaria, quantas) = (10, 7, 1);
        let ditas = [
            (Regra::EstoqueNegativo, "estoque-negativo", "estoque negativo: "),
            (Regra::VendaRepetida, "venda-repetida", "a mesma unidade vendida duas vezes: "),
            (Regra::EstoqueSubiu, "estoque-subiu", "o estoque subiu: "),
            (
                Regra::AcimaDoInicial { inicial },
                "acima-do-inicial",
                "havia mais que as 10 unidades do começo: ",
            ),
            (Regra::UnidadeSumiu { restaria, quantas }, "unidade-sumiu", "uma unidade sumiu: "),
            (
                Regra::RecusaIndevida { restaria, quantas },
                "recusa-indevida",
                "recusa com o que vender: ",
            ),
            (Regra::AvisoRepetido, "aviso-repetido", "AVISO repetido: "),
            (Regra::AvisoAtrasado, "aviso-atrasado", "AVISO atrasado: "),
            (Regra::AvisoPerdido, "aviso-perdido", "AVISO perdido: "),
        ];
        for (regra, nome, comeco) in ditas {
            assert_eq!(regra.nome(), nome);
            assert_eq!(regra.do_estoque(), !nome.starts_with("aviso"), "{nome}");
            let frase = violacao(regra, &provas).to_string();
            let inteiro = format!("{comeco}o usuário 1 consultou e leu 3 aos 0,001000 s");
            assert!(frase.starts_with(&inteiro), "{frase}");
        }
    }

    #[test]
    fn as_outras_unidades_sem_comprador_se_contam() {
        let frase = |quantas| {
            let regra = Regra::UnidadeSumiu { restaria: 7, quantas };
            violacao(regra, &[leitura(1, 0, 1, Que::Consulta, 3)]).to_string()
        };
        assert!(frase(1).ends_with("e ninguém comprou a que deixaria 7"));
        assert!(frase(2).ends_with("e ninguém comprou a que deixaria 7 (nem outra)"));
    }

    #[test]
    fn so_a_venda_faz_o_contador_descer() {
        let antes = |que| leitura(1, 0, 1, que, 3).antes();
        assert_eq!([Que::Venda, Que::Consulta].map(antes), [4, 3]);
        assert_eq!(leitura(1, 0, 1, Que::Venda, i128::MAX).antes(), i128::MAX);
    }
}
