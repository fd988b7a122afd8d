//! O veredito: o que a auditoria concluiu, com as provas. Só guarda e mostra; quem julga é
//! [`crate::auditoria`], e o desenho de uma contradição está em `desenho`.

use std::fmt;

use protocolo::terminal::contar;
use serde::{Deserialize, Serialize};

use super::motivos::{SemAviso, SemVendas};
use super::regra::Aviso;
use super::violacao::Violacao;
use crate::cores::{self, Tinta};

/// A conclusão da auditoria: um veredito sobre o estoque (§7.2) e outro sobre o AVISO (§7.3), que é um
/// extra (§9), e por isso não muda o primeiro. `Display` dá as observações, a primeira contradição
/// desenhada no tempo e, por último, a linha de cada veredito, a do estoque no fim; `{:#}` dá o mesmo, em
/// cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veredito {
    /// O que está errado, o primeiro a acontecer antes.
    pub violacoes: Vec<Violacao>,
    /// O que vale dizer e não é erro.
    pub observacoes: Vec<String>,
    /// Houve por que julgar as vendas? Senão, por que não.
    pub vendas: Result<(), SemVendas>,
    /// Quantas conexões ouviram o AVISO, se houve por que julgá-lo. Senão, por que não.
    pub ouviram: Result<usize, SemAviso>,
}

/// O veredito sobre o estoque (§7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estoque {
    /// Nada que um servidor certo não faria.
    Consistente,
    /// Há uma contradição.
    Inconsistente,
    /// Nada se viu por que julgar.
    SemVeredito,
}

impl fmt::Display for Estoque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Estoque::Consistente => "CONSISTENTE",
            Estoque::Inconsistente => "INCONSISTENTE",
            Estoque::SemVeredito => "SEM VEREDITO",
        })
    }
}

impl Veredito {
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
    pub fn frase_do_estoque(&self) -> String {
        match (self.primeira(true), &self.vendas) {
            (Some(primeira), _) => format!("INCONSISTENTE: {}", self.com_as_outras(primeira)),
            (None, Err(porque)) => format!("SEM VEREDITO sobre as vendas: {porque}"),
            (None, Ok(())) => "CONSISTENTE".into(),
        }
    }

    /// O veredito sobre o AVISO, em uma frase.
    pub fn frase_do_aviso(&self) -> String {
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

impl fmt::Display for Veredito {
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
        em_cores(f, "Veredito do AVISO: ", tinta, &self.frase_do_aviso())?;
        let tinta = match self.estoque() {
            Estoque::Consistente => Tinta::Boa,
            Estoque::SemVeredito => Tinta::Neutra,
            Estoque::Inconsistente => Tinta::Ruim,
        };
        em_cores(f, "Veredito: ", tinta, &self.frase_do_estoque())
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::auditoria::regra::Regra;
    use crate::auditoria::violacao::exemplos::leitura;
    use crate::auditoria::violacao::{Leitura, Origem};
    use std::time::Duration;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn violacao(regra: Regra, provas: &[Leitura]) -> Violacao {
        Violacao { regra, quando: ms(0), provas: provas.to_vec() }
    }

    #[test]
    fn cada_regra_tem_o_seu_nome_e_a_sua_frase() {
        let provas = [leitura(1, 0, 1, Origem::Consulta, 3), leitura(2, 0, 2, Origem::Aviso, 0)];
        let (inicial, restaria, quantas) = (10, 7, 1);
        let ditas = [
            (Regra::EstoqueNegativo, "estoque-negativo", "estoque negativo: "),
            (Regra::VendaRepetida, "venda-repetida", "a mesma unidade vendida duas vezes: "),
            (Regra::EstoqueSubiu, "estoque-subiu", "o estoque subiu: "),
            (Regra::ForaDoLivro, "fora-do-livro", "nem com as reposições do livro: "),
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
            (
                Regra::DuasRespostas { numero: 7 },
                "duas-respostas",
                "o mesmo pedido teve duas respostas (o 7º do usuário 1): ",
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
            violacao(regra, &[leitura(1, 0, 1, Origem::Consulta, 3)]).to_string()
        };
        assert!(frase(1).ends_with("e ninguém comprou a que deixaria 7"));
        assert!(frase(2).ends_with("e ninguém comprou a que deixaria 7 (nem outra)"));
    }

    #[test]
    fn so_a_venda_faz_o_contador_descer() {
        let antes = |que| leitura(1, 0, 1, que, 3).antes();
        assert_eq!([Origem::Venda, Origem::Consulta].map(antes), [4, 3]);
        assert_eq!(leitura(1, 0, 1, Origem::Venda, i128::MAX).antes(), i128::MAX);
    }
}
