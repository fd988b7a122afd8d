//! A página HTML do boletim: um arquivo só, sem rede e sem scripts. Diz o que o boletim guarda; não julga.

use askama::Template;
use protocolo::terminal::contar;

use super::boletim::{Boletim, nota};
use super::conselhos::{Conselho, conselhos};
use super::evidencias::Rodada;
use crate::cores::Tinta;
use crate::relatorio::contradicao::Contradicao;
use crate::relatorio::pagina::data_e_hora;

impl Boletim {
    /// A página HTML.
    pub fn html(&self) -> String {
        let pagina = Pagina {
            boletim: self,
            quando: data_e_hora(),
            nota: nota(self.nota()),
            maxima: nota(self.maxima()),
            tinta: Tinta::da_nota(self.nota(), self.maxima()),
            pior: self.pior_contradicao().map(Contradicao::de),
            conselhos: conselhos(self),
            rodadas: agrupar(&self.rodadas),
        };
        // O modelo foi conferido ao compilar, e escrever em uma String não falha.
        pagina.render().unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "avaliacao.html")]
struct Pagina<'a> {
    boletim: &'a Boletim,
    quando: String,
    nota: String,
    maxima: String,
    tinta: Tinta,
    pior: Option<Contradicao>,
    conselhos: Vec<Conselho>,
    rodadas: Vec<Iguais<'a>>,
}

/// Rodadas em que se contou o mesmo.
struct Iguais<'a> {
    rodada: &'a Rodada,
    /// Os números delas, a partir de 1.
    numeros: Vec<usize>,
}

impl Iguais<'_> {
    /// Os números, em intervalos: `1 a 4, 7, 9 e 10`.
    fn quais(&self) -> String {
        let seguidos = self.numeros.chunk_by(|um, outro| um + 1 == *outro);
        let trechos: Vec<String> = seguidos
            .flat_map(|trecho| match trecho {
                [de, _, .., ate] => vec![format!("{de} a {ate}")],
                poucos => poucos.iter().map(usize::to_string).collect(),
            })
            .collect();
        match trechos.as_slice() {
            [antes @ .., penultimo, ultimo] => {
                let antes: String = antes.iter().map(|trecho| format!("{trecho}, ")).collect();
                format!("{antes}{penultimo} e {ultimo}")
            }
            poucos => poucos.concat(),
        }
    }

    /// O que houve em cada uma, em uma frase.
    fn frase(&self) -> String {
        let Rodada { atendidos, compradores, vendas, recusas, .. } = self.rodada;
        let Rodada { sem_resposta, estranhas, contradicoes, .. } = self.rodada;
        let conta = |quantas: u64, uma, muitas| contar(quantas as usize, uma, muitas);
        let mut partes = vec![
            // De quem fecha a conexão a cada resposta, nenhum comprador continua conectado.
            contar(*atendidos.max(compradores), "comprador", "compradores"),
            conta(*vendas, "venda", "vendas"),
            conta(*recusas, "recusa", "recusas"),
        ];
        if *sem_resposta > 0 {
            partes.push(conta(*sem_resposta, "compra sem resposta", "compras sem resposta"));
        }
        if *estranhas > 0 {
            partes.push(conta(*estranhas, "resposta estranha", "respostas estranhas"));
        }
        partes.push(match contradicoes.len() {
            0 => "nenhuma contradição".into(),
            quantas => contar(quantas, "contradição", "contradições"),
        });
        let quantas = contar(self.numeros.len(), "rodada", "rodadas iguais");
        format!("{quantas}: {}.", partes.join(", "))
    }
}

/// Junta as rodadas em que se contou o mesmo, na ordem em que cada conta apareceu.
fn agrupar(rodadas: &[Rodada]) -> Vec<Iguais<'_>> {
    let contas = |rodada: &Rodada| {
        let Rodada { atendidos, compradores, vendas, recusas, .. } = rodada;
        let Rodada { sem_resposta, estranhas, contradicoes, .. } = rodada;
        let pedidos = (*vendas, *recusas, *sem_resposta, *estranhas);
        (*atendidos, *compradores, pedidos, contradicoes.len())
    };
    let mut grupos: Vec<Iguais<'_>> = Vec::new();
    for (numero, rodada) in (1..).zip(rodadas) {
        match grupos.iter_mut().find(|grupo| contas(grupo.rodada) == contas(rodada)) {
            Some(grupo) => grupo.numeros.push(numero),
            None => grupos.push(Iguais { rodada, numeros: vec![numero] }),
        }
    }
    grupos
}

#[cfg(test)]
mod testes {
    use super::*;

    fn rodada(vendas: u64, recusas: u64) -> Rodada {
        Rodada { atendidos: 50, vendas, recusas, ..Rodada::default() }
    }

    #[test]
    fn rodadas_com_as_mesmas_contas_se_juntam_em_uma_frase() {
        let iguais = vec![rodada(10, 50); 20];
        let [grupo] = &agrupar(&iguais)[..] else { panic!("um grupo só") };
        assert_eq!(
            grupo.frase(),
            "20 rodadas iguais: 50 compradores, 10 vendas, 50 recusas, nenhuma contradição."
        );
        assert_eq!(grupo.quais(), "1 a 20");
    }

    #[test]
    fn rodadas_diferentes_ficam_separadas_e_dizem_quais_sao() {
        let vendas = [10, 10, 10, 12, 10, 10, 12, 13];
        let rodadas = vendas.map(|vendas| rodada(vendas, 50));
        let grupos = agrupar(&rodadas);
        let quais: Vec<String> = grupos.iter().map(Iguais::quais).collect();
        assert_eq!(quais, ["1 a 3, 5 e 6", "4 e 7", "8"]);
        assert!(grupos[2].frase().starts_with("1 rodada: "), "{}", grupos[2].frase());
        let calada = Rodada { sem_resposta: 1, ..rodada(10, 50) };
        assert_eq!(agrupar(&[rodada(10, 50), calada]).len(), 2);
        assert!(agrupar(&[]).is_empty());
    }
}
