//! O resumo do extrato (`--resumo`): quando se vendeu e quem comprou mais, sem mostrar cada venda.
//!
//! Guarda um contador por IP que comprou, e mais nada: as vendas passam uma a uma. Serve ao extrato de um livro e ao de
//! um estoque partilhado, e não conhece nenhum dos dois.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;

/// Quantos compradores se mostram.
const MOSTRADOS: usize = 5;

/// O que se juntou das vendas, na ordem.
#[derive(Debug, Default)]
pub(crate) struct Resumo {
    primeira: Option<String>,
    ultima: String,
    /// Quantas unidades cada IP comprou: a porta muda a cada conexão, e não diz quem é.
    de_cada_um: HashMap<String, u64>,
}

impl Resumo {
    /// Mais uma venda.
    pub(crate) fn anotar(&mut self, instante: &str, endereco: &str) {
        self.primeira.get_or_insert_with(|| instante.to_owned());
        instante.clone_into(&mut self.ultima);
        let ip = endereco
            .parse()
            .map_or_else(|_| endereco.to_owned(), |endereco: SocketAddr| endereco.ip().to_string());
        *self.de_cada_um.entry(ip).or_default() += 1;
    }

    /// As linhas dele.
    ///
    /// # Errors
    ///
    /// A saída falhou.
    pub(crate) fn escrever(&self, saida: &mut impl Write) -> io::Result<()> {
        let Some(primeira) = &self.primeira else {
            return writeln!(saida, "  nenhuma venda\n");
        };
        writeln!(saida, "  primeira venda  {primeira}\n  última venda    {}\n", self.ultima)?;
        let mut compradores: Vec<_> = self.de_cada_um.iter().collect();
        // Com os mesmos números, a ordem dos nomes: o resumo do mesmo livro é sempre o mesmo.
        compradores.sort_unstable_by(|(a, compras_a), (b, compras_b)| {
            compras_b.cmp(compras_a).then_with(|| a.cmp(b))
        });
        let quantos = compradores.len();
        let quem = if quantos == 1 { "1 IP comprou" } else { &format!("{quantos} IPs compraram") };
        let mais = if quantos > MOSTRADOS { "; os que mais" } else { "" };
        writeln!(saida, "  {quem}{mais}:")?;
        for (ip, compras) in compradores.iter().take(MOSTRADOS) {
            writeln!(saida, "  {compras:>9}  {ip}")?;
        }
        writeln!(saida)
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    fn resumo(vendas: &[(&str, &str)]) -> String {
        let mut resumo = Resumo::default();
        vendas.iter().for_each(|(instante, endereco)| resumo.anotar(instante, endereco));
        let mut saida = Vec::new();
        resumo.escrever(&mut saida).unwrap();
        String::from_utf8(saida).unwrap()
    }

    #[test]
    fn um_ip_e_um_comprador_seja_qual_for_a_porta() {
        let vendas =
            [("t1", "10.0.0.1:1"), ("t2", "[2001:db8::1]:7"), ("t3", "10.0.0.1:2"), ("t4", "?")];
        let esperado = "  primeira venda  t1\n  última venda    t4\n\n  3 IPs compraram:
          2  10.0.0.1\n          1  2001:db8::1\n          1  ?\n\n";
        assert_eq!(resumo(&vendas), esperado);
    }

    #[test]
    fn de_muitos_compradores_mostram_se_os_que_mais_compraram() {
        let de_quem = [1, 2, 2, 3, 4, 5, 6];
        let vendas: Vec<_> =
            (0..28).map(|venda| format!("10.0.0.{}:1", de_quem[venda % 7])).collect();
        let vendas: Vec<_> = vendas.iter().map(|endereco| ("t", endereco.as_str())).collect();
        let dito = resumo(&vendas);
        assert!(dito.contains("6 IPs compraram; os que mais:\n          8  10.0.0.2\n"), "{dito}");
        assert!(dito.contains("10.0.0.5") && !dito.contains("10.0.0.6"), "{dito}");
    }

    #[test]
    fn sem_vendas_diz_que_nao_ha_nenhuma() {
        assert_eq!(resumo(&[]), "  nenhuma venda\n\n");
    }
}
