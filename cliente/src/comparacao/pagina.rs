//! A comparação em uma página: um arquivo só, sem rede e sem scripts, com uma barra por número. Não compara.

use askama::Template;

use super::{Comparacao, Linha, leitura::Documento};
use crate::relatorio::pagina::data_e_hora;

impl Comparacao {
    /// A página HTML.
    pub fn html(&self, pares: &[Documento; 2]) -> String {
        let comandos = pares.each_ref().map(|par| par.comando.as_str());
        let pagina = Pagina { comparacao: self, comandos, quando: data_e_hora() };
        // O modelo foi conferido ao compilar, e escrever em uma String não falha.
        pagina.render().unwrap_or_default()
    }
}

impl Linha {
    /// As larguras das duas barras, de 0 a 100: a maior enche.
    fn barras(&self) -> Option<[f64; 2]> {
        let [antes, depois] = self.numeros?;
        let maior = antes.max(depois);
        (maior > 0.0).then(|| [antes, depois].map(|valor| 100.0 * valor / maior))
    }
}

#[derive(Template)]
#[template(path = "comparacao.html")]
struct Pagina<'a> {
    comparacao: &'a Comparacao,
    comandos: [&'a str; 2],
    quando: String,
}
