//! O parecer: o que a auditoria concluiu, com as provas. Só guarda e mostra; quem julga é
//! [`crate::auditoria`], e o desenho de uma contradição está em `desenho`.

use std::fmt;
use std::time::Duration;

use protocolo::terminal::contar;

use crate::cores::{self, Tinta};
use crate::resumo::formatar;

/// A conclusão da auditoria: um veredito sobre o estoque (§7.2) e outro sobre o AVISO (§7.3), que é um
/// extra (§9), e por isso não muda o primeiro. `Display` dá as observações, a primeira contradição
/// desenhada no tempo e, por último, a linha de cada veredito, a do estoque no fim; `{:#}` dá o mesmo, em
/// cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parecer {
    /// O que está errado, o primeiro a acontecer antes.
    pub violacoes: Vec<Violacao>,
    /// O que vale dizer e não é erro.
    pub observacoes: Vec<String>,
    /// Houve por que julgar as vendas? Senão, por que não.
    pub vendas: Result<(), String>,
    /// Quantas conexões ouviram o AVISO, se houve por que julgá-lo. Senão, por que não.
    pub ouviram: Result<usize, String>,
}

/// O veredito sobre o estoque (§7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estoque {
    /// Nada que um servidor certo não faria.
    Consistente,
    /// Há uma contradição.
    Inconsistente,
    /// Nada se viu por que julgar.
    SemVeredito,
}

impl Estoque {
    /// O nome dele no JSON.
    pub fn nome(self) -> &'static str {
        match self {
            Estoque::Consistente => "consistente",
            Estoque::Inconsistente => "inconsistente",
            Estoque::SemVeredito => "sem-veredito",
        }
    }
}

/// O veredito sobre o AVISO (§7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aviso {
    /// Chegou uma vez a cada um, na hora.
    Certo,
    /// Chegou com unidades por vender.
    Adiantado,
    /// Demorou a chegar.
    Atrasado,
    /// Chegou mais de uma vez à mesma conexão.
    Repetido,
    /// Chegou também a quem conectou depois do esgotamento.
    AQuemChegouDepois,
    /// Não chegou a quem devia.
    Faltou,
    /// Nada se viu por que julgar.
    NaoJulgado,
}

impl Aviso {
    /// Em palavras, para pessoas.
    pub fn palavras(self) -> &'static str {
        match self {
            Aviso::Certo => "certo",
            Aviso::Adiantado => "adiantado",
            Aviso::Atrasado => "atrasado",
            Aviso::Repetido => "repetido",
            Aviso::AQuemChegouDepois => "também a quem chegou depois",
            Aviso::Faltou => "faltou",
            Aviso::NaoJulgado => "não julgado",
        }
    }

    /// O nome dele no JSON.
    pub fn nome(self) -> &'static str {
        match self {
            Aviso::AQuemChegouDepois => "a-quem-chegou-depois",
            Aviso::NaoJulgado => "nao-julgado",
            outro => outro.palavras(),
        }
    }

    /// Há algo de errado com ele?
    pub fn errado(self) -> bool {
        !matches!(self, Aviso::Certo | Aviso::NaoJulgado)
    }
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
    /// O AVISO chegou com unidades por vender.
    AvisoAdiantado,
    /// O primeiro AVISO demorou a chegar.
    AvisoAtrasado {
        /// Quanto depois do esgotamento.
        depois: Duration,
    },
    /// Recebeu o AVISO quem só conectou depois do esgotamento.
    AvisoAQuemChegouDepois,
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
            Regra::AvisoAdiantado => "aviso-adiantado",
            Regra::AvisoAtrasado { .. } => "aviso-atrasado",
            Regra::AvisoAQuemChegouDepois => "aviso-a-quem-chegou-depois",
            Regra::AvisoPerdido => "aviso-perdido",
        }
    }

    /// O que ela diz do AVISO; `None` se é sobre o estoque.
    fn do_aviso(self) -> Option<Aviso> {
        match self {
            Regra::EstoqueNegativo
            | Regra::VendaRepetida
            | Regra::EstoqueSubiu
            | Regra::AcimaDoInicial { .. }
            | Regra::VendeuDemais { .. }
            | Regra::UnidadeSumiu { .. }
            | Regra::RecusaIndevida { .. } => None,
            Regra::AvisoRepetido => Some(Aviso::Repetido),
            Regra::AvisoAdiantado => Some(Aviso::Adiantado),
            Regra::AvisoAtrasado { .. } => Some(Aviso::Atrasado),
            Regra::AvisoAQuemChegouDepois => Some(Aviso::AQuemChegouDepois),
            Regra::AvisoPerdido => Some(Aviso::Faltou),
        }
    }

    /// É sobre o estoque (§7.2)? Senão, é sobre o AVISO (§7.3).
    pub fn do_estoque(self) -> bool {
        self.do_aviso().is_none()
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
            Regra::AvisoAdiantado => match resto.first() {
                Some(outra) => write!(f, "AVISO antes da hora: {primeira}, e depois disso {outra}"),
                None => write!(f, "AVISO antes da hora: {primeira}, e havia o que vender"),
            },
            Regra::AvisoAtrasado { depois } => {
                let depois = formatar(depois);
                write!(f, "AVISO atrasado, chegou {depois} depois: {primeira}, e {outra}")
            }
            Regra::AvisoAQuemChegouDepois => {
                write!(
                    f,
                    "AVISO a quem chegou depois: {primeira}, e só conectou depois que {outra}"
                )
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
    /// O que se conclui do estoque.
    pub fn estoque(&self) -> Estoque {
        match self.primeira(true) {
            Some(_) => Estoque::Inconsistente,
            None if self.vendas.is_err() => Estoque::SemVeredito,
            None => Estoque::Consistente,
        }
    }

    /// O que se conclui do AVISO: o primeiro erro que se viu, ou que não se viu nenhum.
    pub fn aviso(&self) -> Aviso {
        match self.primeira(false).and_then(|violacao| violacao.regra.do_aviso()) {
            Some(erro) => erro,
            None if self.ouviram.is_err() => Aviso::NaoJulgado,
            None => Aviso::Certo,
        }
    }

    /// A primeira contradição: do estoque ou do AVISO.
    pub fn primeira(&self, do_estoque: bool) -> Option<&Violacao> {
        self.violacoes.iter().find(|violacao| violacao.regra.do_estoque() == do_estoque)
    }

    /// A contradição mais grave: do estoque, ou, se não há, do AVISO.
    pub fn mais_grave(&self) -> Option<&Violacao> {
        self.primeira(true).or_else(|| self.primeira(false))
    }

    /// O veredito sobre o estoque, em uma frase.
    pub fn veredito(&self) -> String {
        match (self.primeira(true), &self.vendas) {
            (Some(primeira), _) => format!("INCONSISTENTE: {}", self.com_as_outras(primeira)),
            (None, Err(porque)) => format!("SEM VEREDITO sobre as vendas: {porque}"),
            (None, Ok(())) => "CONSISTENTE".into(),
        }
    }

    /// O veredito sobre o AVISO, em uma frase.
    pub fn veredito_do_aviso(&self) -> String {
        let aviso = self.aviso().palavras();
        match (self.primeira(false), &self.ouviram) {
            (Some(primeira), _) => format!("{aviso}: {}", self.com_as_outras(primeira)),
            (None, Err(porque)) => format!("{aviso}: {porque}"),
            (None, Ok(ouviram)) => {
                let conexoes = contar(*ouviram, "conexão o ouviu", "conexões o ouviram");
                format!("{aviso} ({conexoes})")
            }
        }
    }

    fn com_as_outras(&self, primeira: &Violacao) -> String {
        let do_estoque = primeira.regra.do_estoque();
        let outras = self.violacoes.iter().filter(|v| v.regra.do_estoque() == do_estoque).count();
        match outras {
            ..=1 => primeira.to_string(),
            n => format!("{primeira} (e mais {})", contar(n - 1, "contradição", "contradições")),
        }
    }
}

/// Uma linha de veredito: a palavra em cores, e o porquê sem elas.
fn em_cores(f: &mut fmt::Formatter<'_>, nome: &str, tinta: Tinta, frase: &str) -> fmt::Result {
    let fim = frase.find(':').unwrap_or(frase.len());
    let (palavra, porque) = frase.split_at(fim);
    f.write_str(nome)?;
    cores::pintar(f, tinta, palavra)?;
    writeln!(f, "{porque}")
}

impl fmt::Display for Parecer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for observacao in &self.observacoes {
            writeln!(f, "Observação: {observacao}")?;
        }
        if let Some(primeira) = self.mais_grave() {
            if !self.observacoes.is_empty() {
                writeln!(f)?;
            }
            write!(f, "A primeira contradição, no tempo:\n{}\n", primeira.intercalacao())?;
        }
        let tinta = match self.aviso() {
            Aviso::Certo => Tinta::Boa,
            Aviso::NaoJulgado => Tinta::Neutra,
            _ => Tinta::Ruim,
        };
        em_cores(f, "Veredito do AVISO: ", tinta, &self.veredito_do_aviso())?;
        let tinta = match self.estoque() {
            Estoque::Consistente => Tinta::Boa,
            Estoque::SemVeredito => Tinta::Neutra,
            Estoque::Inconsistente => Tinta::Ruim,
        };
        em_cores(f, "Veredito: ", tinta, &self.veredito())
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
            (Regra::AvisoAdiantado, "aviso-adiantado", "AVISO antes da hora: "),
            (
                Regra::AvisoAtrasado { depois: ms(1500) },
                "aviso-atrasado",
                "AVISO atrasado, chegou 1,50 s depois: ",
            ),
            (
                Regra::AvisoAQuemChegouDepois,
                "aviso-a-quem-chegou-depois",
                "AVISO a quem chegou depois: ",
            ),
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
